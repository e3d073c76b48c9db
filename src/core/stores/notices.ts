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

  /** `missed` is told to this one alone, at once. */
  add(listener: NoticeListener, missed?: Notice): void {
    this.#listeners.push(listener)
    if (missed) this.#tell(listener, missed)
  }

  tell(notice: Notice): void {
    for (const listener of this.#listeners) this.#tell(listener, notice)
  }

  #tell(listener: NoticeListener, notice: Notice): void {
    void new Promise((resolve) => {
      resolve(listener({ ...notice, server: this.#server }))
    }).catch(() => {})
  }
}
