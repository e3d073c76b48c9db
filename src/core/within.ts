/** What the work comes to, or a rejection once it takes longer. The work itself goes on, and its end no longer matters. */
export async function within<Result>(milliseconds: number, work: Promise<Result>): Promise<Result> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      // After a blocked event loop timers run before the sockets are read, and the answer may be there already.
      timer = setTimeout(() => reject(new Error('no answer in time')), 0)
    }, milliseconds)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
