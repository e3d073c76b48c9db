import { redirect } from '@sveltejs/kit'
import type { Actions, PageServerLoad } from './$types'

export const load: PageServerLoad = async ({ locals: { session } }) => ({
  views: await session.update('views', (n = 0) => n + 1),
  userId: (await session.userId()) ?? 'nobody',
})

export const actions: Actions = {
  login({ locals }) {
    locals.session.signIn('u1')
    redirect(303, '/')
  },
  logout({ locals }) {
    locals.session.destroy()
    redirect(303, '/')
  },
}
