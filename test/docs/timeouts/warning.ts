import { Hono } from 'hono'
import type { Session, SessionManager } from 'holdfast'
import { session } from 'holdfast/hono'

const WARNED_BEFORE_SECONDS = 120

export function createApp(manager: SessionManager) {
  return new Hono()
    .get('/timeout.js', (c) => c.body(SCRIPT, 200, { 'Content-Type': 'text/javascript' }))
    .get('/signed-out', (c) => c.html(SIGNED_OUT))
    .use(session(manager))
    .get('/', async (c) => {
      const left = await secondsLeft(c.var.session)
      return left === undefined ? c.redirect('/signed-out') : c.html(pageOf(left))
    })
    .post('/stay', async (c) => {
      const left = await secondsLeft(c.var.session) // a read, which renews
      return left === undefined ? c.json(null, 401) : c.json(left)
    })
    .post('/login', (c) => {
      c.var.session.signIn('u1')
      return c.redirect('/')
    })
}

/** What is left, not when it ends: the visitor's clock may be wrong. */
async function secondsLeft(session: Session): Promise<number | undefined> {
  const expiresAt = await session.expiresAt()
  return expiresAt && Math.floor((expiresAt - Date.now()) / 1000)
}

const pageOf = (left: number) => `<!doctype html>
<html lang="en">
  <title>Your account</title>
  <h1>Your account</h1>
  <dialog id="timeout" role="alertdialog" aria-labelledby="timeout-says">
    <p id="timeout-says">You will be signed out in <span>two minutes</span>.</p>
    <button>Stay signed in</button>
  </dialog>
  <script src="/timeout.js" data-left="${left}"></script>
</html>`

const SIGNED_OUT = `<!doctype html>
<html lang="en">
  <title>Signed out</title>
  <h1>You are signed out</h1>
  <form method="post" action="/login"><button>Sign in</button></form>
</html>`

/** The tabs share one session, so they share what they know of its end. */
const SCRIPT = `
const { left } = document.currentScript.dataset
const dialog = document.querySelector('#timeout')
const remember = (seconds) => localStorage.setItem('session ends', Date.now() + seconds * 1000)

function show() {
  const left = Math.ceil((localStorage.getItem('session ends') - Date.now()) / 1000)
  if (left <= 0) location.assign('/signed-out')
  else if (left > ${WARNED_BEFORE_SECONDS}) dialog.close()
  else if (!dialog.open) dialog.showModal()
  dialog.querySelector('span').textContent = left + ' seconds'
}

async function stay() {
  const response = await fetch('/stay', { method: 'POST' })
  if (response.ok) remember(await response.json())
  if (response.status === 401) location.assign('/signed-out')
  show()
}

dialog.querySelector('button').addEventListener('click', stay)
dialog.addEventListener('cancel', stay) // Esc
remember(left)
show()
setInterval(show, 1000)
`
