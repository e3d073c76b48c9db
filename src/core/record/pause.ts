const LONGEST_PAUSE_MS = 64

/** Full jitter, doubling: two writers that collided must not collide again. */
export function pause(attempt: number): Promise<void> {
  const longest = Math.min(LONGEST_PAUSE_MS, 2 ** attempt)
  return new Promise((resolve) => {
    setTimeout(resolve, Math.random() * longest)
  })
}
