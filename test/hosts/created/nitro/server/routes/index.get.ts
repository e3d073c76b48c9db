export default defineEventHandler(async (event) => {
  const session = sessionOf(event)
  const views = await session.update('views', (n = 0) => n + 1)
  return `view ${views} of ${(await session.userId()) ?? 'nobody'}`
})
