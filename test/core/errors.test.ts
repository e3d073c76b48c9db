import { describe, expect, it } from 'vitest'
import * as exported from '../../src/core/index.ts'

type ErrorClass = new (...args: never[]) => Error

const errors = Object.entries<unknown>(exported).filter((entry): entry is [string, ErrorClass] => {
  const [, value] = entry
  return typeof value === 'function' && value.prototype instanceof Error
})

describe('the errors that are exported', () => {
  it('are found', () => {
    expect(errors.map(([name]) => name)).toContain('SessionError')
    expect(errors.length).toBeGreaterThan(5)
  })

  it.each(errors)('%s has its own name, which its class was written out with', (name, Class) => {
    expect(Object.hasOwn(new Class(), 'name')).toBe(true)
    expect([new Class().name, Class.name]).toEqual([name, name])
  })
})
