export default defineEventHandler((event) => {
  sessionOf(event).destroy()
  return sendRedirect(event, '/', 303)
})
