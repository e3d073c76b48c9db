import { describeAttacks } from './attack.ts'
import type { Site } from './site.ts'

const SESSION = 'src/core/session/session.ts'
const ENTRIES =
  'return Object.fromEntries(draft.keys().map((key) => [key, draft.read(key)])) as Partial<Data>'

describeAttacks('Who sends JSON that the application puts into the session', [
  {
    title: 'S47, G4: names a key __proto__, constructor or prototype',
    run: nameKeys,
    without: [
      {
        defence: 'entries that are defined, not assigned',
        removed: [
          {
            file: SESSION,
            piece: ENTRIES,
            replacement:
              'const all = {}; for (const key of draft.keys()) all[key] = draft.read(key); return all',
          },
        ],
        gain: /^mallory is an administrator/,
      },
      {
        defence: 'values that are replaced, not merged',
        removed: [
          {
            file: SESSION,
            piece: ENTRIES,
            replacement: `
              const merge = (into, from) => {
                for (const key of Object.keys(from)) {
                  if (from[key] === null || typeof from[key] !== 'object') into[key] = from[key]
                  else merge((into[key] ??= {}), from[key])
                }
                return into
              }
              return merge({}, Object.fromEntries(draft.keys().map((key) => [key, draft.read(key)])))`,
          },
        ],
        gain: /^everything is an administrator/,
      },
    ],
  },
])

const BODIES = [
  '{"__proto__":{"isAdmin":true}}',
  '{"constructor":{"prototype":{"isAdmin":true}}}',
  '{"prototype":{"isAdmin":true},"toString":"x","hasOwnProperty":"x","valueOf":1,"then":1,"toJSON":"x"}',
  '{"profile":{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}}}}',
  '{"cart":[{"__proto__":{"isAdmin":true}}]}',
]

async function nameKeys({ visitor }: Site): Promise<string[]> {
  const prototype = Object.prototype as { isAdmin?: unknown }
  const gains: string[] = []
  const alice = visitor()
  await alice.signIn('alice')
  for (const body of BODIES) {
    const mallory = visitor()
    const { status } = await mallory.post('/set-json', body)
    if (status !== 200) gains.push(`${status} for ${body}`)
    if ((await mallory.open('/is-admin')).body !== 'false')
      gains.push(`mallory is an administrator by ${body}`)
    if ('isAdmin' in prototype) {
      // Nothing in this process works as long as it stands there.
      delete prototype.isAdmin
      return [...gains, `everything is an administrator by ${body}`]
    }
    if ((await mallory.read()) !== body) gains.push(`${body} became ${await mallory.read()}`)
    const others = [alice, visitor()].map(async (other) => (await other.open('/is-admin')).body)
    if (String(await Promise.all(others)) !== 'false,false')
      gains.push(`others are administrators by ${body}`)
  }
  return gains
}
