import { H3, redirect } from 'h3'
import sessions from './session.ts'

export const app = new H3().use(sessions)

app.get('/', async ({ context }) => {
  return `view ${await context.session.update('views', (n = 0) => n + 1)}`
})
app.post('/login', ({ context }) => {
  context.session.signIn('u1')
  return redirect('/')
})
app.post('/logout', ({ context }) => {
  context.session.destroy()
  return redirect('/')
})
