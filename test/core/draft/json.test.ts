import { createContext, runInContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { SessionDataError } from '../../../src/core/errors.ts'
import { toJsonText } from '../../../src/core/draft/json.ts'

/** The error of a value that is refused; whatever it holds of SECRET must not show. */
function refusal(value: unknown): SessionDataError {
  try {
    toJsonText('cart', value)
  } catch (error) {
    if (error instanceof SessionDataError) return error
    throw error
  }
  throw new Error('the value was taken')
}

const SECRET = '4111111111111111'
class Money {
  readonly amount = SECRET
}
const Nameless = {
  '': class {
    readonly card = SECRET
  },
}['']
const selfish: Record<string, unknown> = { card: SECRET }
selfish.self = selfish
const cyclicList: unknown[] = [SECRET]
cyclicList.push({ back: cyclicList })
const nested = (depth: number, make: (inner: unknown) => unknown) => {
  let value: unknown = SECRET
  for (let level = 0; level < depth; level++) value = make(value)
  return value
}

describe('what a session holds', () => {
  const shared = { price: 1 }
  const withoutPrototype = Object.assign(Object.create(null), { a: 1 })
  const withProtoKey = JSON.parse('{"__proto__":{"polluted":true},"constructor":1,"toString":null}')
  it.each<[string, unknown, string | undefined]>([
    ['a string', 'a\n"é😀\u2028', '"a\\n\\"é😀\u2028"'],
    ['a lone surrogate', '\uD83D', '"\\ud83d"'],
    ['the empty string', '', '""'],
    ['numbers', [0, -1.5, 1e300, Number.MAX_SAFE_INTEGER], '[0,-1.5,1e+300,9007199254740991]'],
    ['true', true, 'true'],
    ['false', false, 'false'],
    ['null', null, 'null'],
    ['nothing', undefined, undefined],
    ['an empty object', {}, '{}'],
    ['an empty list', [], '[]'],
    ['objects and lists', { a: [{ b: null }, [1]] }, '{"a":[{"b":null},[1]]}'],
    ['undefined inside an object, which is left out', { a: undefined, b: 1 }, '{"b":1}'],
    ['an object without prototype', withoutPrototype, '{"a":1}'],
    [
      'the same object twice, which is no cycle',
      { a: shared, b: [shared, shared] },
      '{"a":{"price":1},"b":[{"price":1},{"price":1}]}',
    ],
    [
      'keys with a meaning elsewhere',
      withProtoKey,
      '{"__proto__":{"polluted":true},"constructor":1,"toString":null}',
    ],
    ['an object of another realm', runInContext('({ a: [1] })', createContext()), '{"a":[1]}'],
    ['500 levels', nested(500, (inner) => [inner]), `${'['.repeat(500)}"${SECRET}"${']'.repeat(500)}`],
  ])('D7: takes %s', (_, value, text) => {
    expect(toJsonText('cart', value)).toBe(text)
  })

  it.each<[string, unknown, string]>([
    ['a bigint', BigInt(SECRET), 'cart: expected JSON, got a bigint'],
    ['a function', () => SECRET, 'cart: expected JSON, got a function'],
    ['a class', Money, 'cart: expected JSON, got a function'],
    ['a symbol', Symbol(SECRET), 'cart: expected JSON, got a symbol'],
    ['NaN', Number.NaN, 'cart: expected JSON, got NaN'],
    ['Infinity', Infinity, 'cart: expected JSON, got Infinity'],
    ['-Infinity', -Infinity, 'cart: expected JSON, got -Infinity'],
    ['a Date', new Date(Number(SECRET) / 1e4), 'cart: expected JSON, got an instance of Date'],
    ['a Map', new Map([[SECRET, SECRET]]), 'cart: expected JSON, got an instance of Map'],
    ['a Set', new Set([SECRET]), 'cart: expected JSON, got an instance of Set'],
    ['a WeakMap', new WeakMap(), 'cart: expected JSON, got an instance of WeakMap'],
    ['a RegExp', /4111111111111111/, 'cart: expected JSON, got an instance of RegExp'],
    ['an Error', new Error(SECRET), 'cart: expected JSON, got an instance of Error'],
    ['a URL', new URL(`https://${SECRET}.example`), 'cart: expected JSON, got an instance of URL'],
    ['a promise', Promise.resolve(SECRET), 'cart: expected JSON, got an instance of Promise'],
    ['bytes', new TextEncoder().encode(SECRET), 'cart: expected JSON, got an instance of Uint8Array'],
    ['a Buffer, though it has toJSON', Buffer.from(SECRET), 'cart: expected JSON, got an instance of Buffer'],
    ['an ArrayBuffer', new ArrayBuffer(8), 'cart: expected JSON, got an instance of ArrayBuffer'],
    ['a boxed string', Object(SECRET), 'cart: expected JSON, got an instance of String'],
    ['a boxed number', Object(Number(SECRET)), 'cart: expected JSON, got an instance of Number'],
    ['a boxed boolean', Object(true), 'cart: expected JSON, got an instance of Boolean'],
    ['a boxed bigint', Object(BigInt(SECRET)), 'cart: expected JSON, got an instance of BigInt'],
    ['a boxed symbol', Object(Symbol(SECRET)), 'cart: expected JSON, got an instance of Symbol'],
    ['a class instance', new Money(), 'cart: expected JSON, got an instance of Money'],
    [
      'an instance of a class without a name',
      new Nameless(),
      'cart: expected JSON, got an instance of a class',
    ],
    [
      'an object that inherits',
      Object.create({ card: SECRET }),
      'cart: expected JSON, got an instance of Object',
    ],
    [
      'toJSON, hidden',
      Object.defineProperty({}, 'toJSON', { value: () => SECRET }),
      'cart: expected JSON, got a toJSON',
    ],
    ['a list with toJSON', Object.assign([1], { toJSON: () => SECRET }), 'cart: expected JSON, got a toJSON'],
    ['a hole in a list', [1, undefined], 'cart[1]: expected JSON, got undefined'],
    ['toJSON', { toJSON: () => SECRET }, 'cart.toJSON: expected JSON, got a function'],
    ['an object in itself', selfish, 'cart.self: expected JSON, got a cycle'],
    ['a list in itself', cyclicList, 'cart[1].back: expected JSON, got a cycle'],
    [
      'something deep inside',
      { items: [{ sku: SECRET }, { at: new Date(0) }] },
      'cart.items[1].at: expected JSON, got an instance of Date',
    ],
    ['NaN in a list', [SECRET, [Number.NaN]], 'cart[1][0]: expected JSON, got NaN'],
    [
      'a Map under __proto__',
      JSON.parse('{"__proto__":{}}', (key, value) => (key === '__proto__' ? new Map() : value)),
      'cart.__proto__: expected JSON, got an instance of Map',
    ],
    [
      '100 000 lists in each other',
      nested(100_000, (inner) => [inner]),
      'cart: expected JSON, got a value nested too deeply',
    ],
    [
      '100 000 objects in each other',
      nested(100_000, (inner) => ({ inner })),
      'cart: expected JSON, got a value nested too deeply',
    ],
  ])('D7: refuses %s, naming the path and never the value', (_, value, message) => {
    const error = refusal(value)
    expect(error.message).toBe(message)
    expect(error.code).toBe('ERR_SESSION_NOT_SERIALIZABLE')
    expect(error.cause).toBeUndefined()
    expect(`${error.stack}`).not.toContain(SECRET)
  })

  it('D7: refuses an instance without showing what it keeps under "constructor"', () => {
    for (const constructor of [{ name: SECRET }, null, { name: Symbol(SECRET) }]) {
      expect(refusal(Object.assign(new Money(), { constructor })).message).toBe(
        'cart: expected JSON, got an instance of Money',
      )
    }
  })

  it('D7: round-trips through JSON.parse', () => {
    const value = { a: [1, 'x', null, { b: [true, {}] }], '': { ' ': -0.5 }, é: '😀\uD83D' }
    expect(JSON.parse(toJsonText('cart', value)!)).toEqual(value)
  })
})
