// Compiled by `tsc`, never run: a line that compiles where it should not fails through its @ts-expect-error.
import { expectTypeOf } from 'vitest'
import type { Session } from 'holdfast'
import type { Data } from './data.ts'

export async function aSession(session: Session<Data>) {
  expectTypeOf(await session.get('userId')).toEqualTypeOf<string | undefined>()
  expectTypeOf(await session.get('cart')).toEqualTypeOf<Data['cart'] | undefined>()
  expectTypeOf(await session.get('nickname')).toEqualTypeOf<string | null | undefined>()
  expectTypeOf(await session.has('views')).toEqualTypeOf<boolean>()
  expectTypeOf(await session.entries()).toEqualTypeOf<Partial<Data>>()
  expectTypeOf(await session.take('views')).toEqualTypeOf<number | undefined>()
  expectTypeOf(await session.exists()).toEqualTypeOf<boolean>()
  expectTypeOf(await session.expiresAt()).toEqualTypeOf<number | undefined>()
  expectTypeOf(session.save()).toEqualTypeOf<Promise<void>>()
  expectTypeOf(session.set('views', 1)).toEqualTypeOf<void>()
  session.set('cart', [{ sku: 'a', count: 1 }])
  session.set('nickname', null)
  session.set('views', undefined)

  const views = await session.update('views', (n) => {
    expectTypeOf(n).toEqualTypeOf<number | undefined>()
    return (n ?? 0) + 1
  })
  expectTypeOf(views).toEqualTypeOf<number>()
  expectTypeOf(await session.update('views', (n = 0) => n + 1)).toEqualTypeOf<number>()

  session.setTimeouts({ idle: 60, absolute: 600, persistent: false })
  session.setTimeouts({ idle: false })

  expectTypeOf(session.signIn('u1')).toEqualTypeOf<void>()
  session.signIn('u1', { label: 'Firefox on Linux', keep: ['cart', 'nickname'], persistent: false })
  session.signIn('u1', { idle: 30 * 86_400, absolute: 90 * 86_400, keep: undefined })
  session.signIn('u1', { keep: ['cart'] as const })
  expectTypeOf(await session.userId()).toEqualTypeOf<string | undefined>()
}

export async function mistakes(session: Session<Data>) {
  // @ts-expect-error no such key
  await session.get('user')
  // @ts-expect-error no such key
  await session.has('user')
  // @ts-expect-error no such key
  session.delete('user')
  // @ts-expect-error no such key
  await session.take('user')
  // @ts-expect-error a number, not a string
  session.set('views', '1')
  // @ts-expect-error a value of another key
  session.set('cart', 1)
  // @ts-expect-error wrong inside
  session.set('cart', [{ sku: 'a', count: '1' }])
  // @ts-expect-error null is not undefined
  session.set('views', null)
  // @ts-expect-error the current value may be missing
  await session.update('views', (n: number) => n + 1)
  // @ts-expect-error returns another type
  await session.update('views', () => 'one')
  // @ts-expect-error a function that returns a promise
  await session.update('views', async () => 1)
  // @ts-expect-error there is no switching the absolute timeout off
  session.setTimeouts({ absolute: false })
  // @ts-expect-error the id of a user is a string
  session.signIn(1)
  // @ts-expect-error who signs in has an id
  session.signIn()
  // @ts-expect-error no such key
  session.signIn('u1', { keep: ['basket'] })
  // @ts-expect-error no such option
  session.signIn('u1', { remember: true })
  // @ts-expect-error written by signIn
  session.userId = 'u1'
  // @ts-expect-error only reading gives values
  session.get('views').toFixed()
}

export async function anySession(session: Session) {
  expectTypeOf(await session.get('whatever')).toBeAny()
  session.set('whatever', { any: ['value'] })
  session.signIn('u1', { keep: ['whatever'] })
}
