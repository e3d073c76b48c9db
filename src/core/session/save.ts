/** A `save()` that knows whether anybody waits for it: what nobody has seen refused is nobody's to answer (D9). */
export class Save extends Promise<void> {
  /** Promises made from it are ordinary ones. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  /** `await`, too, calls `then` of a promise that is of another class. */
  isSeen = false

  // oxlint-disable-next-line unicorn/no-thenable
  override then<Fulfilled, Rejected>(
    onFulfilled?: ((value: void) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    this.isSeen = true
    return super.then(onFulfilled, onRejected)
  }

  /** Never becomes an unhandled rejection: the commit is there to report it. */
  static of(work: Promise<void>): Save {
    const save = new Save((resolve) => resolve(work))
    super.prototype.then.call(save, undefined, () => {})
    return save
  }
}
