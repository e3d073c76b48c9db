import type { MiddlewareHandler } from 'hono'
import { html, raw } from 'hono/html'
import type { SessionEventType } from 'holdfast'
import { lossOfStore, withLogbook, type Logbook } from './recording-store.ts'

/** Stands in a page where the logbook goes: what the commit costs is known only when the page is written. */
export const logbookPlace = raw('<!--logbook-->')

/** Goes around the session middleware, so that the commit is over when the logbook is filled in. */
export function showLogbook(): MiddlewareHandler {
  return (c, next) =>
    withLogbook(async (logbook) => {
      await next()
      const cookie = describeCookie(c.res.headers)
      // For the redirects, which show no page: see "Timing" in the browser's developer tools.
      const names = logbook.operations.map(({ name }) => name).join(' ')
      const told = describeEvents(logbook)
      c.header(
        'Server-Timing',
        `session;desc="store: ${names || 'not asked'}; cookie: ${cookie}; events: ${told}"`,
      )
      if (!c.res.headers.get('Content-Type')?.startsWith('text/html')) return
      const page = await c.res.text()
      const panel = String(await logbookPanel(logbook, cookie))
      c.res = new Response(
        page.replace(String(logbookPlace), () => panel),
        c.res,
      )
    })
}

function logbookPanel(logbook: Logbook, cookie: string) {
  const { operations } = logbook
  const count = operations.length
  return html`<section class="card logbook" aria-labelledby="logbook">
    <h2 id="logbook">What the session layer did for this response</h2>
    <p class="count"><strong>${count}</strong> store ${count === 1 ? 'operation' : 'operations'}</p>
    ${
      count > 0 &&
      html`<ol>
        ${operations.map(entry)}
      </ol>`
    }
    <dl>
      <div>
        <dt>Read</dt>
        <dd>${sum(operations.map(({ bytesRead }) => bytesRead))} bytes</dd>
      </div>
      <div>
        <dt>Written</dt>
        <dd>${sum(operations.map(({ bytesWritten }) => bytesWritten))} bytes</dd>
      </div>
      <div>
        <dt>Cookie</dt>
        <dd>${cookie}</dd>
      </div>
      <div>
        <dt>Events</dt>
        <dd>${describeEvents(logbook)}</dd>
      </div>
    </dl>
    <p class="why">${explain(logbook)}</p>
  </section>`
}

function entry({ name, outcome, bytesRead, bytesWritten }: Logbook['operations'][number]) {
  const bytes = bytesRead || bytesWritten
  return html`<li>
    <code>${name}</code> <span>${outcome}</span> ${bytes > 0 && html`<span>${bytes} bytes</span>`}
  </li>`
}

function explain({ operations, events }: Logbook): string {
  const isEvery = (outcome: string) => operations.every((operation) => operation.outcome === outcome)
  if (operations.length === 0) return 'Nothing here needed a stored session, so the store was not asked.'
  if (operations.some(({ outcome }) => outcome === 'no answer'))
    return 'An outage is an error, never a sign-out.'
  if (events.some(({ reason }) => reason === 'revoked'))
    return 'The session is there, but its user’s list has it no longer: a stranger, whatever the cookie says.'
  if (events.some(({ type }) => type === 'unknown')) return explainUnknown()
  if (isEvery('found'))
    return 'Read, not changed: nothing was written. The read itself renewed the idle timeout.'
  return 'Read, changed, and written by compare-and-swap, so that parallel requests lose nothing.'
}

const LOSSES: Partial<Record<SessionEventType, string>> = {
  'server-restarted': 'was restarted, and began empty',
  'server-flushed': 'was flushed',
  'server-evicting': 'is full, and forgets sessions',
}

function explainUnknown(): string {
  const loss = lossOfStore()
  const why = loss
    ? `${loss.server} ${LOSSES[loss.type]}: told at ${new Date(loss.at).toISOString().slice(11, 19)} UTC.`
    : 'It ran idle, or was lost with its server: look again in a moment, or, of a flush, in a minute.'
  return `The store does not know the session that the cookie names: a visitor like a new one. ${why}`
}

function describeEvents({ events }: Logbook): string {
  return events.map(({ type, reason }) => (reason ? `${type} (${reason})` : type)).join(', ') || 'none'
}

function describeCookie(headers: Headers): string {
  const [cookie] = headers.getSetCookie()
  if (cookie === undefined) return 'not set'
  return /; Max-Age=0/i.test(cookie) ? 'cleared' : 'set'
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
