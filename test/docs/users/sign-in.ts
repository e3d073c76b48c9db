import type { Session } from 'holdfast'

type Data = { cart: string[]; theme: string }

const DAY = 86_400

/** Once the password was right. `device` is for the list of devices, at most 64 characters: "Firefox on Linux". */
export function signIn(session: Session<Data>, userId: string, device: string, remember: boolean): void {
  const timeouts = remember ? { idle: 30 * DAY, absolute: 90 * DAY } : { persistent: false }
  session.signIn(userId, { label: device, keep: ['theme'], ...timeouts })
}
