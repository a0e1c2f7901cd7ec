/**
 * What the page around the inbox says.
 * @type {Record<string, import("./words.js").Strings>}
 */
export const PAGE_STRINGS = {
  en: {
    lead: "Notifications, read by an AI before you have to.",
    credential: "Service key or inbox token",
    sign_in: "Open the inbox",
    kept:
      "It stays in this tab. An inbox token is forgotten when the tab is closed, a service key when you leave or reload this page.",
    over: "The access to this inbox is over. Sign in again, or follow a new link.",
    unknown: "The service does not know this key or token, or its time is over.",
    unreachable: "The service cannot be reached. Try again in a moment.",
    choose: "Whose inbox?",
    choose_lead: "A service key may open any inbox.",
    user: "User id (a UUID)",
    bad_user: "This is not a UUID.",
    open: "Open",
    recent: "Lately written to",
    none: "No notification yet. Any user id opens an empty inbox.",
    inboxes: "All inboxes",
    sign_out: "Sign out",
    api: "API",
  },
  ru: {
    lead: "Уведомления, которые ИИ прочитал раньше вас.",
    credential: "Сервисный ключ или токен входящих",
    sign_in: "Открыть входящие",
    kept:
      "Он остаётся в этой вкладке. Токен забывается при её закрытии, сервисный ключ — при уходе или перезагрузке страницы.",
    over: "Доступ к этим входящим закончился. Войдите снова или откройте новую ссылку.",
    unknown: "Сервис не знает этого ключа или токена, или его срок истёк.",
    unreachable: "Сервис недоступен. Попробуйте чуть позже.",
    choose: "Чьи входящие?",
    choose_lead: "Сервисный ключ открывает любые.",
    user: "Идентификатор пользователя (UUID)",
    bad_user: "Это не UUID.",
    open: "Открыть",
    recent: "Куда недавно писали",
    none: "Уведомлений ещё нет. Любой идентификатор откроет пустые входящие.",
    inboxes: "Все входящие",
    sign_out: "Выйти",
    api: "API",
  },
};
