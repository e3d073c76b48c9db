import { readSession } from '../session'
import { count, signIn, signOut } from './actions'

export default async function Page() {
  const session = await readSession()
  const [views = 0, userId = 'nobody'] = await Promise.all([session.get('views'), session.userId()])
  return (
    <form>
      <p>{`view ${views} of ${userId}`}</p>
      <button formAction={count}>Count</button>
      <button formAction={signIn}>Sign in</button>
      <button formAction={signOut}>Sign out</button>
    </form>
  )
}
