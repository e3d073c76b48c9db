import { ipKeyGenerator, rateLimit } from 'express-rate-limit'

/** After `session()`. */
export const limitRequests = rateLimit({
  windowMs: 60_000,
  limit: 100,
  keyGenerator: async (request) => {
    const userId = await request.session.userId()
    return userId === undefined ? ipKeyGenerator(request.ip ?? '') : `user ${userId}`
  },
})

/** Of a route that signs in, after its body was read. What is answered below 400 is not counted. */
export const limitFailedSignIns = rateLimit({
  windowMs: 15 * 60_000,
  limit: 10,
  skipSuccessfulRequests: true,
  keyGenerator: ({ body }) =>
    typeof body?.username === 'string' ? body.username.trim().normalize('NFKC').toLowerCase() : '',
})
