/** Dressed as a nautical chart: deep and shallow water, buff land, and magenta for what matters. */
export const style = `
:root {
  color-scheme: light dark;
  --sea: #f0f6f9; --shallow: #d8e9f1; --paper: #fff; --line: #b7cfdb; --land: #fbf2d5;
  --ink: #14272f; --faint: #4a626e; --magenta: #a11d6c; --on-magenta: #fff;
  --chart: "Iowan Old Style", Palatino, "Palatino Linotype", "URW Palladio L", P052, Georgia, serif;
  --mono: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --sea: #0c171e; --shallow: #122733; --paper: #11212b; --line: #2b4656; --land: #2f2b1b;
    --ink: #e2ecf0; --faint: #9db4c0; --magenta: #f28fcb; --on-magenta: #2a0a1d;
  }
}
* { box-sizing: border-box }
body {
  margin: 0; background: var(--sea); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
a { color: var(--magenta); text-underline-offset: .2em }
:focus-visible { outline: 3px solid var(--magenta); outline-offset: 2px }
.skip { position: absolute; z-index: 1; left: 1rem; top: -4rem; padding: .5rem 1rem; background: var(--paper) }
.skip:focus { top: .5rem }
header > *, [role=status], .columns { width: min(100% - 2.5rem, 72rem); margin-inline: auto }

h1, h2 { font-family: var(--chart); font-style: italic; font-weight: 400; line-height: 1.2; text-wrap: balance }
h1 { font-size: clamp(2rem, 5vw, 2.75rem); margin: 0 0 1.25rem; overflow-wrap: anywhere }
h2 { font-size: 1.5rem; margin: 2.5rem 0 .25rem }
h3 { font-size: 1.0625rem; line-height: 1.3; margin: 0 }
p { margin: 0 0 1rem; max-width: 62ch; text-wrap: pretty }
.lede { font-size: 1.125rem; max-width: 54ch; overflow-wrap: anywhere }
.source, .until, .why, .goods p { color: var(--faint) }

header { position: relative; overflow: hidden; background: var(--shallow); border-bottom: 1px solid var(--line) }
header .depths { position: absolute; inset: 0; width: 100%; height: 100%; fill: none; stroke: var(--line) }
.bar {
  position: relative; display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between;
  gap: .5rem 2rem; padding-block: 1rem;
}
.mark {
  display: flex; align-items: center; gap: .625rem; color: inherit; text-decoration: none;
  font: italic 1.5rem/1 var(--chart);
}
.mark small { font: 400 .875rem/1 system-ui, sans-serif; padding-top: .3em }
.mark .iron { fill: var(--ink) }
.mark .gap, .mark .rope { fill: none; stroke-linecap: round }
.mark .gap { stroke: var(--shallow); stroke-width: 6 }
.mark .rope { stroke: var(--magenta); stroke-width: 2.5 }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem; margin: 0 -.75rem; padding: 0; list-style: none }
nav a { display: block; padding: .5rem .75rem; color: inherit; text-decoration: none; border-radius: 6px }
nav a:hover { text-decoration: underline }
nav a[aria-current] { font-weight: 600; text-decoration: underline 3px var(--magenta); text-underline-offset: .5em }
nav b {
  display: inline-block; min-width: 1.5em; padding: 0 .35em; text-align: center; font-size: .8125rem;
  background: var(--magenta); color: var(--on-magenta); border-radius: 1em;
}

.notice {
  max-width: none; margin: 1.5rem 0 0; padding: .75rem 1rem; overflow-wrap: anywhere;
  background: var(--land); border: 1px solid var(--line); border-radius: 10px;
}
.columns { display: grid; gap: 2.5rem; padding-block: 2.25rem 4rem }
.columns > * { min-width: 0 }
@media (min-width: 58rem) {
  .columns { grid-template-columns: minmax(0, 1fr) 22rem; gap: 4rem }
}
.card { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 1.25rem }
aside { display: grid; gap: 1.25rem; align-content: start }
aside h2 { font-size: 1.3125rem; margin: 0 0 .75rem }
aside .why { font-size: .9375rem; margin: 1rem 0 0 }

button, input {
  font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--faint); border-radius: 6px;
  min-height: 2.5rem; padding: .375rem .875rem;
}
button { cursor: pointer; font-weight: 500 }
button:hover { background: var(--shallow) }
.primary { background: var(--magenta); border-color: var(--magenta); color: var(--on-magenta) }
.primary:hover { background: var(--magenta); text-decoration: underline }
.sign-in { display: grid; gap: .5rem; max-width: 24rem; margin-bottom: 1.5rem }
.sign-in input { min-width: 0 }
.keep { display: flex; align-items: center; gap: .5rem; min-height: 2.5rem }
.keep input { min-height: 0; width: 1.125rem; height: 1.125rem; margin: 0; accent-color: var(--magenta) }
.sign-out { margin-bottom: 1.5rem }

.goods, .lines, .devices { list-style: none; margin: 1rem 0 0; padding: 0 }
.goods { display: grid; gap: 1px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)) }
.goods {
  background: var(--line); border: 1px solid var(--line); border-radius: 10px; overflow: hidden;
}
.goods li { background: var(--paper); padding: 1.125rem 1.25rem; display: grid; grid-template-rows: auto 1fr auto }
.goods p { margin: .125rem 0 .875rem; font-size: .9375rem }
.goods form { display: flex; align-items: center; justify-content: space-between }
.price { font: italic 1.25rem/1 var(--chart); font-variant-numeric: tabular-nums }
.lines li {
  display: grid; grid-template-columns: 2.5rem 1fr auto auto; gap: .25rem 1rem; align-items: center;
  padding: .875rem 0; border-bottom: 1px solid var(--line);
}
.devices { border-top: 1px solid var(--line) }
.devices li {
  display: grid; grid-template-columns: 1fr auto; gap: .125rem 1rem; align-items: center;
  padding: 1rem 0; border-bottom: 1px solid var(--line);
}
.devices h2 { margin: 0; font-size: 1.3125rem; text-wrap: wrap }
.devices strong { font: 600 .8125rem/1.5 system-ui, sans-serif; color: var(--magenta); white-space: nowrap }
.devices p { grid-row: 2; margin: 0; color: var(--faint); font-size: .9375rem }
.devices form { grid-area: 1 / 2 / span 2; margin: 0 }
.devices + form { margin-top: 1.5rem }
.number { color: var(--faint); font-variant-numeric: tabular-nums }
.total { margin-top: 1.25rem; font-size: 1.125rem; max-width: none }

.count { margin: 0; color: var(--faint) }
.count strong { font: italic 400 2.75rem/1 var(--chart); color: var(--magenta); margin-right: .2em }
.logbook ol { list-style: none; margin: .875rem 0; padding: 0; border-block: 1px solid var(--line) }
.logbook li { display: grid; grid-template-columns: 4.5rem 1fr auto; gap: .5rem; padding: .375rem 0; font-size: .9375rem }
.logbook li + li { border-top: 1px dotted var(--line) }
code { font-family: var(--mono); font-size: .875rem }
aside dd { font-family: var(--mono); font-size: .8125rem }
dl { margin: .875rem 0; font-size: .9375rem }
dl div { display: grid; grid-template-columns: 4.5rem 1fr; gap: .5rem; padding: .1875rem 0; align-items: baseline }
dt { color: var(--faint) }
dd { margin: 0; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 1.5rem }
th, td { text-align: left; font-weight: 400; padding: .625rem .75rem .625rem 0; border-bottom: 1px solid var(--line) }
thead th { color: var(--faint); font-size: .9375rem }
td { font: italic 1.375rem/1 var(--chart); white-space: nowrap }

@media (max-width: 30rem) {
  .mark small { display: none }
  .lines li { grid-template-columns: 2.5rem 1fr auto }
  .lines form { grid-column: 2 / -1 }
  .devices p { grid-column: 1 / -1 }
  .devices form { grid-row: 1 }
}
`
