/**
 * What the work comes to, or a rejection once it takes longer, each failure as `failure` has it. The work itself goes on, and
 * its end no longer matters.
 */
export function within<Result>(
  milliseconds: number,
  work: () => Promise<Result>,
  failure: (error: unknown) => unknown = (error) => error,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    let timer: ReturnType<typeof setTimeout> | undefined
    let isOver = false
    const fail = (error: unknown) => {
      clearTimeout(timer)
      if (!isOver) reject(failure(error))
      isOver = true
    }
    try {
      work().then((result) => {
        clearTimeout(timer)
        resolve(result)
      }, fail)
    } catch (error) {
      return fail(error)
    }
    timer = setTimeout(() => {
      // After a blocked event loop timers run before the sockets are read, and the answer may be there already.
      timer = setTimeout(() => {
        fail(Object.assign(new Error('no answer in time'), { code: 'ERR_ANSWER_TIMEOUT' }))
      }, 0)
    }, milliseconds)
  })
}
