export default defineEventHandler((event) => {
  sessionOf(event).signIn('u1')
  return sendRedirect(event, '/', 303)
})
