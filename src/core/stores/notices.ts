import type { SessionStore, StoreNotice } from './store.ts'

export type Notice = Omit<StoreNotice, 'server'>
export type NoticeListener = Parameters<NonNullable<SessionStore['watch']>>[0]

/** Who watches one server. A listener that fails, now or later, harms neither the store nor the others. */
export class Notices {
  readonly #server: string
  readonly #listeners: NoticeListener[] = []

  constructor(server: string) {
    this.#server = server
  }

  get hasListeners(): boolean {
    return this.#listeners.length > 0
  }

  add(listener: NoticeListener): void {
    this.#listeners.push(listener)
  }

  /** To some of them, where the others know already. */
  tell(notice: Notice, listeners: readonly NoticeListener[] = this.#listeners): void {
    for (const listener of listeners) {
      void new Promise((resolve) => {
        resolve(listener({ ...notice, server: this.#server }))
      }).catch(() => {})
    }
  }
}
