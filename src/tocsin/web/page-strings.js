/**
 * What the page around the inbox says, in the languages that `words.js` lists.
 * @type {import("./words.js").Strings}
 */
export const PAGE_STRINGS = {
  lead: ["Notifications, read by an AI before you have to.", "Уведомления, которые ИИ прочитал раньше вас."],
  credential: ["Service key or inbox token", "Сервисный ключ или токен входящих"],
  sign_in: ["Open the inbox", "Открыть входящие"],
  kept: [
    "It stays in this tab. An inbox token is forgotten when the tab is closed, a service key when you leave or reload this page.",
    "Он остаётся в этой вкладке. Токен забывается при её закрытии, сервисный ключ — при уходе или перезагрузке страницы.",
  ],
  over: [
    "The access to this inbox is over. Sign in again, or follow a new link.",
    "Доступ к этим входящим закончился. Войдите снова или откройте новую ссылку.",
  ],
  damaged: [
    "This link opens no inbox: it is damaged, or not valid any more. Sign in, or ask for a new one.",
    "Эта ссылка не открывает входящие: она повреждена или больше не действует. Войдите или запросите новую.",
  ],
  unknown: [
    "The service does not know this key or token, or its time is over.",
    "Сервис не знает этого ключа или токена, или его срок истёк.",
  ],
  unreachable: ["The service cannot be reached. Try again in a moment.", "Сервис недоступен. Попробуйте чуть позже."],
  choose: ["Whose inbox?", "Чьи входящие?"],
  choose_lead: ["A service key may open any inbox.", "Сервисный ключ открывает любые."],
  user: ["User id (a UUID)", "Идентификатор пользователя (UUID)"],
  bad_user: ["This is not a UUID.", "Это не UUID."],
  open: ["Open", "Открыть"],
  recent: ["Lately written to", "Куда недавно писали"],
  none: [
    "No notification yet. Any user id opens an empty inbox.",
    "Уведомлений ещё нет. Любой идентификатор откроет пустые входящие.",
  ],
  inboxes: ["All inboxes", "Все входящие"],
  sign_out: ["Sign out", "Выйти"],
  api: ["API", "API"],
};
