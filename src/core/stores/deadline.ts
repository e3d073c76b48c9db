/** What the work comes to, or a rejection once it takes longer. The work itself goes on, and its end no longer matters. */
export function within<Result>(milliseconds: number, work: () => Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const working = work()
    let timer = setTimeout(() => {
      // After a blocked event loop timers run before the sockets are read, and the answer may be there already.
      timer = setTimeout(() => {
        reject(Object.assign(new Error('no answer in time'), { code: 'ERR_ANSWER_TIMEOUT' }))
      }, 0)
    }, milliseconds)
    const inTime =
      <Value>(settle: (value: Value) => void) =>
      (value: Value) => {
        clearTimeout(timer)
        settle(value)
      }
    working.then(inTime(resolve), inTime(reject))
  })
}
