import { html, raw } from 'hono/html'
import { style } from './style.ts'

/** What `html` makes: text that is escaped already. */
export type Html = ReturnType<typeof html>

export interface Layout {
  title: string
  nav: Html
  notice?: string | undefined
  main: Html
  aside?: Html | undefined
}

/** The frame of every page. */
export function layout({ title, nav, notice, main, aside }: Layout): Html {
  // The title is what a screen reader says of a new page; a live region speaks up only when it changes.
  const spoken = [notice, title, 'Holdfast'].filter(Boolean).join(' · ')
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${spoken}</title>
        <link rel="icon" href="data:," />
        <style>
          ${raw(style)}
        </style>
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header>
          ${depths}
          <div class="bar">
            <a class="mark" href="/">${cleat} Holdfast <small>ship chandlers</small></a>
            ${nav}
          </div>
        </header>
        <div role="status">${notice && html`<p class="notice">${notice}</p>`}</div>
        <div class="columns">
          <main id="main">${main}</main>
          ${aside && html`<aside aria-label="Behind the page">${aside}</aside>`}
        </div>
      </body>
    </html>`
}

/** The depth lines of a chart. */
const depths = html`<svg
  class="depths"
  viewBox="0 0 1200 80"
  preserveAspectRatio="xMidYMid slice"
  aria-hidden="true"
>
  <path d="M-10 62c150-40 260 20 420-8s240-62 420-34 250 40 380 4" />
  <path d="M-10 82c170-36 300 14 450-12s250-52 400-26 240 44 370 10" />
  <path d="M-10 36c130-40 230 22 390-6s220-60 430-36 260 30 400-6" />
  <path d="M700 92c60-40 150-46 220-20s90 20 140 30" />
</svg>`

/** A mooring cleat with a rope made fast on it. */
const cleat = html`<svg viewBox="0 0 44 26" width="44" height="26" aria-hidden="true">
  <path class="iron" d="M2 9c6-4 11-3 15 0h10c4-3 9-4 15 0-4 4-9 5-13 5l3 9H12l3-9C11 14 6 13 2 9z" />
  <path class="gap" d="M13 16 31 6" />
  <path class="rope" d="M13 16 31 6M13 16c-2 4-6 7-12 7" />
</svg>`
