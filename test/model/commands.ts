import fc from 'fast-check'
import type { SignInOptions, Timeouts } from './model-request.ts'
import type { Fault } from './recorded-store.ts'
import { objectOf, type OpenRequest, type Stage } from './stage.ts'

/** One thing that a browser, a handler, the clock or the store does, to the model and to the real thing. */
export class Command implements fc.AsyncCommand<Stage, Stage> {
  readonly #text: string
  readonly #isPossible: (stage: Stage) => boolean
  readonly #act: (stage: Stage) => unknown

  constructor(text: string, isPossible: (stage: Stage) => boolean, act: (stage: Stage) => unknown) {
    this.#text = text
    this.#isPossible = isPossible
    this.#act = act
  }

  check(stage: Stage): boolean {
    return this.#isPossible(stage)
  }

  async run(stage: Stage): Promise<void> {
    stage.commands++
    await this.#act(stage)
  }

  toString(): string {
    return this.#text
  }
}

type Faults = fc.Arbitrary<Fault | undefined>

const MAX_OPEN_PER_BROWSER = 2

/** Mostly the same one, so that requests meet. */
const anyBrowser = fc.constantFrom(0, 0, 0, 1, 2)
const anyRequest = fc.tuple(anyBrowser, fc.constantFrom('older', 'newer'))
const anyOther = fc.option(anyRequest, { nil: undefined })

const anyKey = fc.constantFrom('a', 'a', 'b', 'b', '__proto__')
const anyText = fc.constantFrom('1', '2', 'null', '"text"', '[]', '{}', '[{"deep":[]}]')
const anyOrdinal = fc.nat({ max: 5 })
const anyUser = fc.constantFrom('ann', 'ann', 'bob')

const changes: Record<string, (value: any) => unknown> = {
  'one more': (value) => (typeof value === 'number' ? value + 1 : 1),
  'one longer': (value) => (Array.isArray(value) ? [...value, 0] : [value ?? null]),
  same: (value) => value,
  nothing: () => undefined,
}

const someTimeouts = {
  idle: fc.constantFrom(900, 3_600, false as const),
  absolute: fc.constantFrom(45, 100_000),
  persistent: fc.boolean(),
}
const anyTimeouts: fc.Arbitrary<Timeouts> = fc.record(someTimeouts, { requiredKeys: [] })
const anySignIn: fc.Arbitrary<SignInOptions> = fc.oneof(
  fc.constant({}),
  fc.record(
    {
      ...someTimeouts,
      label: fc.constantFrom('phone', 'laptop'),
      keep: fc.constantFrom<string[]>(['a'], ['a', 'b', '__proto__']),
    },
    { requiredKeys: [] },
  ),
)

const anySeconds = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(1, 2, 3) },
  { weight: 3, arbitrary: fc.constantFrom(29, 30, 31, 61) },
  { weight: 2, arbitrary: fc.constantFrom(599, 600, 601, 3_600) },
  { weight: 1, arbitrary: fc.constantFrom(7_200, 86_400) },
)

/** In the shares that make the longest stories; over a store that always answers, unless `canFail` says how it does not. */
export function commands(canFail?: Faults): fc.Arbitrary<Command> {
  const faults = canFail ?? fc.constant(undefined)
  return fc.oneof(
    { weight: 8, arbitrary: openings() },
    { weight: 2, arbitrary: visits() },
    { weight: 10, arbitrary: readings(faults) },
    { weight: 12, arbitrary: writings() },
    { weight: 8, arbitrary: readingAndWriting(faults) },
    { weight: 2, arbitrary: endings() },
    { weight: 10, arbitrary: commits(faults, canFail !== undefined) },
    { weight: 3, arbitrary: surroundings(faults) },
  )
}

function openings(): fc.Arbitrary<Command> {
  const hasRoom = (stage: Stage, browser: number) =>
    stage.open.filter((request) => request.browser === browser).length < MAX_OPEN_PER_BROWSER
  return fc.oneof(
    {
      weight: 5,
      arbitrary: anyBrowser.map(
        (browser) =>
          new Command(
            `browser ${browser} asks`,
            (stage) => hasRoom(stage, browser),
            (stage) => stage.openRequest(browser),
          ),
      ),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(anyBrowser, anyOrdinal).map(
        ([browser, old]) =>
          new Command(
            `browser ${browser} asks with an old cookie (${old})`,
            (stage) => hasRoom(stage, browser) && stage.tokens.length > 0,
            (stage) => stage.openRequest(browser, at(stage.tokens, old)),
          ),
      ),
    },
  )
}

function readings(faults: Faults): fc.Arbitrary<Command> {
  return fc.oneof(
    inRequest(
      fc.tuple(anyKey, faults),
      ([key, fault]) => `get ${key}${told(fault)}`,
      async (stage, request, [key, fault]) => {
        const { session, model } = request
        const value = await stage.read(
          request,
          { key, fault },
          () => session.get(key),
          () => valueOf(model.get(key)),
        )
        // One that failed gave nothing, and leaves what the handler holds.
        if (value !== undefined) request.values.set(key, value)
      },
    ),
    inRequest(
      fc.tuple(anyKey, faults),
      ([key, fault]) => `has ${key}${told(fault)}`,
      (stage, request, [key, fault]) =>
        stage.read(
          request,
          { key, fault },
          () => request.session.has(key),
          () => request.model.has(key),
        ),
    ),
    inRequest(
      faults,
      (fault) => `entries${told(fault)}`,
      async (stage, request, fault) => {
        const { session, model, values } = request
        const entries = await stage.read(
          request,
          { fault },
          () => session.entries(),
          () => objectOf(model.entries()),
        )
        for (const [key, value] of Object.entries(entries ?? {})) values.set(key, value)
      },
    ),
    inRequest(
      faults,
      (fault) => `exists${told(fault)}`,
      (stage, request, fault) =>
        stage.read(
          request,
          { fault },
          () => request.session.exists(),
          () => request.model.exists(),
        ),
    ),
    inRequest(
      faults,
      (fault) => `userId${told(fault)}`,
      (stage, request, fault) =>
        stage.read(
          request,
          { asks: request.model.needsLoadForUser(), fault },
          () => request.session.userId(),
          () => request.model.userId,
        ),
    ),
  )
}

function writings(): fc.Arbitrary<Command> {
  return fc.oneof(
    {
      weight: 4,
      arbitrary: inRequest(
        fc.tuple(anyKey, anyText),
        ([key, text]) => `set ${key} to ${text}`,
        (_, { session, model, values }, [key, text]) => {
          const value: unknown = JSON.parse(text)
          session.set(key, value)
          model.set(key, text)
          values.set(key, value)
        },
      ),
    },
    {
      weight: 2,
      arbitrary: inRequest(
        anyKey,
        (key) => `change what is inside ${key}`,
        (_, { model, values }, key) => {
          changeInside(values.get(key))
          const changed: unknown = JSON.parse(model.held.get(key)!)
          changeInside(changed)
          model.changeInside(key, JSON.stringify(changed))
        },
        ({ model }, key) => /^[[{]/.test(model.held.get(key) ?? '') && !model.isOwnerAwaited,
      ),
    },
    {
      weight: 2,
      arbitrary: inRequest(
        anyKey,
        (key) => `delete ${key}`,
        (_, { session, model }, key) => {
          session.delete(key)
          model.set(key, undefined)
        },
      ),
    },
    {
      weight: 1,
      arbitrary: inRequest(
        fc.constant(undefined),
        () => 'clear',
        (_, { session, model }) => {
          session.clear()
          model.clear()
        },
      ),
    },
    {
      weight: 1,
      arbitrary: inRequest(
        anyTimeouts,
        (timeouts) => `setTimeouts ${JSON.stringify(timeouts)}`,
        (_, { session, model }, timeouts) => {
          session.setTimeouts(timeouts)
          model.setTimeouts(timeouts)
        },
      ),
    },
    {
      weight: 3,
      arbitrary: inRequest(
        fc.tuple(anyUser, anySignIn),
        ([userId, options]) => `signIn ${userId} ${JSON.stringify(options)}`,
        (_, { session, model }, [userId, options]) => {
          session.signIn(userId, options)
          model.signIn(userId, options)
        },
        ({ model }, [, { keep = [] }]) => !keep.some((key) => model.hasSet(key)),
      ),
    },
  )
}

function readingAndWriting(faults: Faults): fc.Arbitrary<Command> {
  return fc.oneof(
    inRequest(
      fc.tuple(anyKey, fc.constantFrom(...Object.keys(changes)), faults),
      ([key, change, fault]) => `update ${key} to ${change}${told(fault)}`,
      async (stage, request, [key, name, fault]) => {
        const { session, model, values } = request
        const change = changes[name]!
        model.held.delete(key)
        const value = await stage.read(
          request,
          { isWrite: true, fault },
          () => session.update(key, change),
          () => valueOf(model.update(key, (text) => textOf(change(valueOf(text))))),
        )
        values.set(key, value)
      },
    ),
    inRequest(
      fc.tuple(anyKey, faults),
      ([key, fault]) => `take ${key}${told(fault)}`,
      async (stage, request, [key, fault]) => {
        const { session, model } = request
        model.held.delete(key)
        await stage.read(
          request,
          { isWrite: true, fault },
          () => session.take(key),
          () => valueOf(model.take(key)),
        )
      },
      ({ model }, [key]) => !model.isChangedInside(key),
    ),
  )
}

function endings(): fc.Arbitrary<Command> {
  return fc.oneof(
    inRequest(
      fc.constant(undefined),
      () => 'regenerateId',
      (_, { session, model }) => {
        session.regenerateId()
        model.regenerateId()
      },
    ),
    inRequest(
      fc.constant(undefined),
      () => 'destroy',
      (_, { session, model }) => {
        session.destroy()
        model.destroy()
      },
    ),
  )
}

function commits(faults: Faults, canFail: boolean): fc.Arbitrary<Command> {
  const saving = inRequest(
    faults,
    (fault) => `save${told(fault)}`,
    async (stage, request, fault) => {
      await stage.save(request, fault)
      await stage.compareSessions()
    },
  )
  const committing = inRequest(
    fc.tuple(fc.constantFrom(200, 200, 200, 200, 500), faults),
    ([status, fault]) => `commit with ${status}${told(fault)}`,
    async (stage, request, [status, fault]) => {
      await stage.commit(request, status, fault)
      await stage.compareSessions()
    },
  )
  if (!canFail) return fc.oneof(saving, committing)
  // What was not settled, and cannot be by the time that the request commits something else.
  const savingAndGoingOn = inRequest(
    faults,
    (fault) => `save${told(fault)}, and it goes on when others wrote for 6 s`,
    async (stage, request, fault) => {
      await stage.save(request, fault)
      await othersWrite(stage, request.browser, 'b', [3, 3])
      request.session.set('a', 1)
      request.model.set('a', '1')
      request.values.set('a', 1)
    },
  )
  return fc.oneof(
    { weight: 2, arbitrary: saving },
    { weight: 1, arbitrary: savingAndGoingOn },
    { weight: 2, arbitrary: committing },
  )
}

/** Whole requests, one after the other, which the open ones meet when they commit. */
function visits(): fc.Arbitrary<Command> {
  return fc.tuple(anyBrowser, anyKey, fc.constantFrom([0], [0, 3], [3, 3])).map(
    ([browser, key, pauses]) =>
      new Command(
        `${pauses.length} more requests of browser ${browser} set ${key}, and ${pauses.join(' and ')} s pass`,
        () => true,
        (stage) => othersWrite(stage, browser, key, pauses),
      ),
  )
}

async function othersWrite(
  stage: Stage,
  browser: number,
  key: string,
  pauses: readonly number[],
): Promise<void> {
  for (const [index, pause] of pauses.entries()) {
    const request = stage.openRequest(browser)
    request.session.set(key, index)
    request.model.set(key, String(index))
    await stage.commit(request, 200, undefined)
    stage.pass(pause)
  }
  await stage.compareSessions()
}

function surroundings(faults: Faults): fc.Arbitrary<Command> {
  const anywhere = (
    text: string,
    act: (stage: Stage) => unknown,
    isPossible: (stage: Stage) => boolean = () => true,
  ) =>
    new Command(text, isPossible, async (stage) => {
      await act(stage)
      await stage.compareSessions()
    })
  return fc.oneof(
    {
      weight: 6,
      arbitrary: anySeconds.map((seconds) => anywhere(`${seconds} s pass`, (stage) => stage.pass(seconds))),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(anyUser, anyOther, faults)
        .map(([userId, other, fault]) =>
          anywhere(`revokeAll ${userId}${but(other)}${told(fault)}`, (stage) =>
            stage.revoke(userId, { except: requestOf(stage, other), fault }),
          ),
        ),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(anyUser, anyOrdinal, faults).map(([userId, ordinal, fault]) =>
        anywhere(
          `revoke session ${ordinal} of ${userId}${told(fault)}`,
          (stage) => stage.revoke(userId, { entry: at(stage.entries, -1 - ordinal), fault }),
          (stage) => stage.entries.length > 0,
        ),
      ),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(anyUser, anyOther, faults)
        .map(([userId, other, fault]) =>
          anywhere(`listSessions ${userId}${but(other)}${told(fault)}`, (stage) =>
            stage.list(userId, requestOf(stage, other), fault),
          ),
        ),
    },
    {
      weight: 1,
      arbitrary: fc.constant(
        anywhere(
          'the next deployment of a change of secrets',
          (stage) => stage.rotate(),
          (stage) => stage.canRotate,
        ),
      ),
    },
    {
      weight: 1,
      arbitrary: anyOrdinal.map((ordinal) =>
        anywhere(
          `the store loses session ${ordinal}`,
          (stage) => stage.evict(at(stage.world.sessions, ordinal)),
          (stage) => stage.world.sessions.length > 0,
        ),
      ),
    },
    {
      weight: 1,
      arbitrary: fc.constant(anywhere('the store loses every mark', (stage) => stage.loseMarks())),
    },
  )
}

/** A command of an open request. */
function inRequest<Argument>(
  anyArgument: fc.Arbitrary<Argument>,
  words: (argument: Argument) => string,
  act: (stage: Stage, request: OpenRequest, argument: Argument) => unknown,
  isPossible: (request: OpenRequest, argument: Argument) => boolean = () => true,
): fc.Arbitrary<Command> {
  return fc.tuple(anyRequest, anyArgument).map(([[browser, age], argument]) => {
    const find = (stage: Stage) => requestOf(stage, [browser, age])
    return new Command(
      `${age} request of browser ${browser}: ${words(argument)}`,
      (stage) => {
        const request = find(stage)
        return request !== undefined && isPossible(request, argument)
      },
      (stage) => act(stage, find(stage)!, argument),
    )
  })
}

function requestOf(
  { open }: Stage,
  which: [browser: number, age: string] | undefined,
): OpenRequest | undefined {
  if (!which) return undefined
  const requests = open.filter((request) => request.browser === which[0])
  return requests.at(which[1] === 'older' ? 0 : -1)
}

function at<Item>(list: readonly Item[], ordinal: number): Item {
  return list.at(ordinal % list.length)!
}

function but(other: [browser: number, age: string] | undefined): string {
  return other ? `, but for the ${other[1]} request of browser ${other[0]}` : ''
}

function told(fault: Fault | undefined): string {
  if (fault === undefined) return ''
  if (fault === 'outage') return ', while the store is down'
  const { skip, times, stage } = fault
  return `, of whose operations ${times} after ${skip} fail ${stage === 'before' ? 'before they arrive' : 'after they were carried out'}`
}

function changeInside(value: unknown): void {
  if (Array.isArray(value)) value.push('inside')
  else (value as Record<string, number>).inside = ((value as Record<string, number>).inside ?? 0) + 1
}

function valueOf(text: string | undefined): unknown {
  return text === undefined ? undefined : JSON.parse(text)
}

function textOf(value: unknown): string | undefined {
  return value === undefined ? undefined : JSON.stringify(value)
}
