/** How it looks; docs/embedding.md lists the properties that a page may set. */

export const sheet = new CSSStyleSheet();

sheet.replaceSync(`
:host {
--ground: var(--tocsin-ground, light-dark(#f7f4ee, #14171b));
--sheet: var(--tocsin-sheet, light-dark(#fffdf9, #1b1f25));
--ink: var(--tocsin-ink, light-dark(#1c2230, #ebe6dc));
--soft: var(--tocsin-soft, light-dark(#5d6270, #a5a39c));
--line: var(--tocsin-line, light-dark(#e5dfd3, #2d323a));
--accent: var(--tocsin-accent, light-dark(#0d6a5f, #71cbb9));
--critical: var(--tocsin-critical, light-dark(#b3231b, #ff8f80));
--warning: var(--tocsin-warning, light-dark(#8a5800, #f2bd62));
--info: var(--tocsin-info, light-dark(#2d5f8c, #93bfe9));
--pad: 20px;
--mark: var(--tocsin-mark, light-dark(#fbe3a0, #6b5718));
color-scheme: light dark;
container-type: inline-size;
display: block;
position: relative;
height: 640px;
overflow: auto;
background: var(--ground);
color: var(--ink);
font: 15px/1.5 var(--tocsin-font, system-ui, sans-serif);
}
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }
[hidden] { display: none !important; }
* { box-sizing: border-box; margin: 0; }
h3, h4 { font: inherit; }
h2, .say h3, .help h3, .detail .title { font: 600 22px/1.25 var(--tocsin-title-font, "Palatino Linotype", Palatino, P052, Georgia, serif); }
button, select, input { font: inherit; color: inherit; border: 1px solid var(--line); border-radius: 99px; background: none; min-height: 32px; padding: 0 11px; flex: none; }
button, .go { display: inline-flex; align-items: center; justify-content: center; gap: 7px; white-space: nowrap; cursor: pointer; }
button:hover, select:hover { border-color: var(--soft); }
:focus-visible, .row:focus-visible .card { outline: 2px solid var(--accent); outline-offset: 1px; }
.inbox:focus, .list:focus, .row:focus { outline: 0; }
.row:focus-visible .card, .detail-pane { outline-offset: -3px; }
.icon { width: 14px; height: 14px; flex: none; fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linecap: round; }
.icon-critical, .icon-warning, .icon-info, .icon-failed, .icon-bell, .icon-unread { fill: currentColor; stroke: none; }
.critical { --kind: var(--critical); }
.warning { --kind: var(--warning); }
.info { --kind: var(--info); }
.failed, .waiting { --kind: var(--soft); }
.icon-waiting { animation: turn 1.6s linear infinite; }
@keyframes turn { to { rotate: 1turn; } }
.hidden, .bare span { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.bare { position: relative; width: 32px; padding: 0; color: var(--soft); }
.bare[aria-pressed="true"], .news button, .go { background: var(--accent); color: var(--sheet); border-color: var(--accent); }
.help-button::after { content: "?"; }
mark { background: none; box-shadow: inset 0 -.3em var(--mark); color: var(--ink); }
.found { border-radius: 3px; background: var(--mark); }

.inbox, .list-pane { display: flex; flex-direction: column; height: 100%; min-height: 0; }
header, .filters, .meta, .foot, .bar, .word { display: flex; align-items: center; gap: 6px 10px; padding: 8px var(--pad); }
header, .filters, .card, .skeleton { border-bottom: 1px solid var(--line); }
header > slot .icon { width: 24px; height: 24px; color: var(--accent); rotate: 12deg; }
.brand { display: flex; align-items: baseline; gap: 10px; white-space: nowrap; }
.end { display: flex; gap: 6px; }
.count, time, .chip b, .meta, .group, .foot, .say, dt, .connection, ::placeholder { color: var(--soft); font-weight: 400; opacity: 1; }
.title, .text, .reason, dd, .toast { unicode-bidi: plaintext; }
.card, .detail-pane, .toast { overflow-wrap: anywhere; }
.search { position: relative; flex: 1; max-width: 420px; margin: 0 auto; }
.search .icon { position: absolute; left: 13px; top: 11px; color: var(--soft); }
.search input { width: 100%; height: 36px; padding-left: 36px; background: var(--sheet); border-color: var(--soft); }
.connection, select, .quiet, .bar [name="close"] { padding: 0 6px; border-color: transparent; }
.connection::before { content: ""; width: 8px; height: 8px; border: 2px solid var(--warning); border-radius: 50%; }
.live::before { background: var(--accent); border-color: var(--accent); }
.offline::before, .stopped::before { border-radius: 0; border-color: var(--critical); }

.panes { position: relative; display: grid; grid-template-columns: minmax(380px, 42%) minmax(0, 1fr); flex: 1 0 320px; height: 320px; }
.list-pane { border-right: 1px solid var(--line); }
.filters { gap: 6px; font-size: 13px; }
.chips, .tools { display: contents; }
.filters, .meta { flex-wrap: wrap; }
select { flex: 0 1 auto; min-width: 0; }
.chip .icon { width: 12px; height: 12px; color: var(--kind, var(--soft)); }
.chip[aria-pressed="true"] { background: var(--ink); border-color: var(--ink); }
.chip[aria-pressed="true"], .chip[aria-pressed="true"] :is(.icon, b) { color: var(--ground); }
.quiet { margin-left: auto; color: var(--accent); }
.scroller { flex: 1; overflow-y: auto; overflow-anchor: none; }
.busy, :disabled { opacity: .5; }
.foot { justify-content: center; padding: 24px; }
.news { position: relative; z-index: 1; height: 0; text-align: center; }
.news button { margin-top: 12px; box-shadow: 0 4px 16px #0003; }
.group { padding: 18px var(--pad) 6px; font-size: 13px; }
.group::first-letter { text-transform: uppercase; }
.row { line-height: 21px; }
.card { position: relative; display: grid; grid-template-columns: 14px minmax(0, 1fr) auto; gap: 1px 14px; padding: 11px var(--pad); box-shadow: inset 3px 0 var(--edge, transparent); cursor: pointer; }
.row:hover .card, .current .card, .open .card { background: var(--sheet); }
.unread.critical { --edge: var(--critical); }
.row.open { --edge: var(--accent); }
.card > .icon { margin-top: 3px; color: var(--kind); }
.card .title, .card .text { overflow: hidden; color: var(--soft); text-overflow: ellipsis; }
.card .title, time { white-space: nowrap; }
.unread .title { color: var(--ink); font-weight: 600; }
.card time, .card .meta { font-size: 13px; }
.card :is(.text, .meta, .reason) { grid-column: 2 / -1; font-size: 14px; }
.card .text { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; }
.card .word .icon:not(.icon-waiting) { display: none; }
.meta, .word { padding: 0; }
.word { gap: 5px; color: var(--kind); font-weight: 600; }
.acts { position: absolute; right: 16px; bottom: 5px; display: none; gap: 4px; }
.acts button { width: 28px; min-height: 28px; background: var(--sheet); }
.current .acts { display: flex; }

.detail-pane { overflow-y: auto; background: var(--sheet); }
.bar { position: sticky; top: 0; justify-content: end; padding: 11px var(--pad); background: var(--sheet); }
.bar [name="close"] { margin-right: auto; padding-left: 0; }
.detail { max-width: 46rem; padding: 12px 5cqi 64px; }
.detail .title { margin: 6px 0 4px; font-size: 30px; }
.detail .text { margin: 24px 0; font-size: 17px; line-height: 1.6; white-space: pre-wrap; }
.detail .reason { display: flex; flex-wrap: wrap; gap: 12px; align-items: center; margin-top: 16px; padding: 8px 14px; border-left: 3px solid var(--soft); background: var(--ground); }
.go { max-width: 100%; min-height: 44px; padding: 0 18px; border-radius: 99px; font-weight: 600; text-decoration: none; }
.go small { overflow: hidden; text-overflow: ellipsis; }
dl { display: grid; align-items: baseline; grid-template-columns: auto 1fr; gap: 8px 20px; margin: 28px 0 8px; padding: 20px 0; border-top: 1px solid var(--line); font-size: 14px; }
code { font: 13px/1.5 ui-monospace, monospace; white-space: pre-wrap; }
.blank { flex: 1; overflow: hidden; }
.say { display: grid; place-content: center; justify-items: center; gap: 8px; height: 100%; padding: 32px; text-align: center; }
.say > .icon { width: 44px; height: 44px; color: var(--line); }
.say h3 { color: var(--ink); }
.skeleton { display: grid; gap: 9px; padding: 18px var(--pad) 18px 48px; }
.skeleton i { height: 10px; border-radius: 9px; background: var(--line); }
.skeleton :first-child { width: 40%; }

.toasts { position: absolute; z-index: 4; bottom: 20px; left: 50%; translate: -50%; width: max-content; max-width: 92%; }
.toast { display: flex; align-items: center; gap: 12px; padding: 8px 18px; border-radius: 24px; background: var(--ink); color: var(--ground); box-shadow: 0 6px 24px #0004; }
.toast button { border-color: currentColor; }
.help { margin: auto; padding: 24px 28px; border: 0; border-radius: 16px; background: var(--sheet); color: var(--ink); }
.help label { display: flex; gap: 8px; margin-bottom: 16px; align-items: center; }
kbd { display: inline-block; min-width: 28px; margin-right: 4px; padding: 2px 7px; border: 1px solid var(--line); border-radius: 6px; color: var(--ink); font: inherit; text-align: center; }

@container (width < 860px) {
.panes { grid-template-columns: minmax(0, 1fr); }
.list-pane { border: 0; }
.detail-pane { display: none; position: absolute; inset: 0; z-index: 2; }
.reading .detail-pane { display: block; }
}
@container (width < 560px) {
.inbox { --pad: 14px; }
header { flex-wrap: wrap; }
.brand { flex: 1 1 60px; overflow: hidden; }
.search { order: 1; flex-basis: 60%; max-width: none; }
::slotted([slot="menu"]) { order: 1; }
.count, .live span { position: absolute; opacity: 0; }
.bar button:not([name="close"]) span { display: none; }
}
@container (width < 420px) { .quiet span { display: none; } }
@container (width < 360px) {
header > slot .icon { display: none; }
}
@media (hover: hover) { .row:hover .acts { display: flex; } }
@media (pointer: coarse) { button, select { min-height: 44px; min-width: 44px; } .acts { display: none !important; } .chips, .tools { display: flex; gap: 6px; width: 100%; } .chips { overflow-x: auto; scrollbar-width: none; } }
@media (forced-colors: active) {
mark { text-decoration: underline; }
.found { background: Mark; color: MarkText; }
[aria-pressed="true"], .open .card { outline: 2px solid Highlight; outline-offset: -3px; }
}
@media (prefers-reduced-motion: reduce) { * { animation: none !important; } }
`);
