import { withSession } from 'holdfast/fetch'
import { redirect } from 'next/navigation'
import { manager } from '../../session'

export const GET = withSession(manager, async (request, session) => {
  await session.update('views', (n = 0) => n + 1)
  if (new URL(request.url).searchParams.has('thrown')) redirect('/')
  return new Response(null, { status: 303, headers: { Location: '/' } })
})
