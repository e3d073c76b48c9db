'use server'

import { refresh } from 'next/cache'
import { redirect } from 'next/navigation'
import { inSession } from '../session'

export async function signIn() {
  await inSession((session) => {
    session.signIn('u1')
    redirect('/')
  })
}

export async function signOut() {
  await inSession((session) => session.destroy())
}

export async function count() {
  await inSession((session) => session.update('views', (n = 0) => n + 1))
  refresh()
}
