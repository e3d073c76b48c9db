// Compiled by `tsc`, never run: a line that compiles where it should not fails through its @ts-expect-error.
import { expectTypeOf } from 'vitest'
import { createSessionManager, type Json, type SessionData } from 'holdfast'
import { withSession } from 'holdfast/fetch'
import { session as honoSession } from 'holdfast/hono'
import { session as koaSession } from 'holdfast/koa'
import type { Data } from './data.ts'

interface DataAsInterface {
  readonly userId: string
  tree: Tree
}
interface Tree {
  children: Tree[]
}

// What JSON holds is taken as it is, under a type alias or an interface, deep, optional or recursive.
expectTypeOf<SessionData<Data>>().toEqualTypeOf<Data>()
expectTypeOf<SessionData<DataAsInterface>>().toExtend<DataAsInterface>()
expectTypeOf<Json<[1, readonly 'a'[], { b?: boolean }]>>().toEqualTypeOf<
  [1, readonly 'a'[], { b?: boolean }]
>()
expectTypeOf<Json<string & { brand: 'UserId' }>>().toEqualTypeOf<string & { brand: 'UserId' }>()
createSessionManager<Data>()
createSessionManager<DataAsInterface>()
createSessionManager<{ mode: 'light' | 'dark'; at: [number, number]; rest: Record<string, number> }>()

// What it does not hold says so.
expectTypeOf<Json<Date>>().toEqualTypeOf<'a session holds JSON: store a Date as a number or an ISO string'>()
expectTypeOf<
  Json<Map<string, 1> | Set<1>>
>().toEqualTypeOf<'a session holds JSON: store a Map or Set as an array'>()
expectTypeOf<Json<() => 1>>().toEqualTypeOf<'a session holds JSON: functions cannot be stored'>()
expectTypeOf<
  Json<bigint | symbol>
>().toEqualTypeOf<'a session holds JSON: store a string instead of a bigint or symbol'>()
expectTypeOf<Json<{ a: [{ at: Date }] }>['a'][0]['at']>().toEqualTypeOf<Json<Date>>()

expectTypeOf<Json<Uint8Array>>().toEqualTypeOf<'a session holds JSON: store bytes as a base64 string'>()
// Beside a string the reason would vanish, so it stands alone.
expectTypeOf<Json<Date | string>>().toEqualTypeOf<Json<Date>>()
expectTypeOf<Json<string | (() => 1) | undefined>>().toEqualTypeOf<Json<() => 1>>()

// @ts-expect-error a Date
createSessionManager<{ at: Date }>()
// @ts-expect-error a Date, optional, beside a string
createSessionManager<{ at?: Date | string }>()
// @ts-expect-error a Date deep inside
createSessionManager<{ orders: { lines: { at: Date }[] }[] }>()
// @ts-expect-error a Map
createSessionManager<{ seen: Map<string, number> }>()
// @ts-expect-error a Set
createSessionManager<{ seen: ReadonlySet<string> }>()
// @ts-expect-error a function
createSessionManager<{ log: (text: string) => void }>()
// @ts-expect-error a bigint
createSessionManager<{ id: bigint }>()
// @ts-expect-error a symbol
createSessionManager<{ id: symbol }>()
// @ts-expect-error bytes
createSessionManager<{ bytes: Uint8Array }>()
// @ts-expect-error an instance with methods
createSessionManager<{ home: URL }>()
// @ts-expect-error a Date in an interface
createSessionManager<DataAsInterface & { at: Date }>()
// @ts-expect-error a Date through the adapter for Hono
honoSession<{ at: Date }>()
// @ts-expect-error a Date through the adapter for Koa
koaSession<{ at: Date }>()
// @ts-expect-error a Date through the adapter for fetch
withSession<{ at: Date }>({}, () => new Response())
