import type { Session } from 'holdfast'

type Data = { cart: string[]; actor: string }

/** A session of the user's for one of the staff, for half an hour. */
export function actAs(session: Session<Data>, userId: string, actor: string): void {
  session.signIn(userId, { label: 'Support', absolute: 1_800, persistent: false })
  session.set('actor', actor) // after signIn, which leaves nothing that was there before
}

/** Each ordinary sign-in. */
export function signIn(session: Session<Data>, userId: string): void {
  session.signIn(userId)
  session.delete('actor') // the same user keeps his data
}
