import { ORIGIN, type Aftermath, type Deed, type Encounter, type Live, type Report } from './encounter.ts'

type Promises = [promise: string, isKept: boolean][]

/** What an encounter should never have come to. */
export function promisesBroken(aftermath: Aftermath, encounter: Encounter): string[] {
  const promises = [...ofTheSession(aftermath, encounter), ...ofUsers(aftermath, encounter)]
  return promises.flatMap(([promise, isKept]) => (isKept ? [] : [promise]))
}

/** Of the session that all meet on, whatever its token. */
function ofTheSession({ reports, lives }: Aftermath, encounter: Encounter): Promises {
  const { failures, replyMs, isAnns } = encounter
  const isReliable = failures.size === 0 && replyMs === 0
  const does = (deed: Deed) => reports.filter(({ script }) => script.deeds.includes(deed))
  const kept = (deed: Deed) => does(deed).filter((report) => report.isOfTheSession && !isUndone(report, deed))
  const live = lives.filter(({ data }) => data[ORIGIN])
  // The write that ends all conflicts overwrites what it does not see.
  const destroyed = does('destroy').filter(({ isAcknowledged, wasLive }) => isAcknowledged && wasLive)
  const isDestroyed = replyMs === 0 && destroyed.length > 0
  const isRevoked = isAnns && revocations(reports).some(({ id, isButOwn }) => id === undefined && !isButOwn)
  const isWhole = reports.every(({ script }) => script.saves !== 'meanwhile')
  const spent = reports.filter(
    (report) => report.hasSpent && report.isOfTheSession && !isUndone(report, 'take'),
  )
  const data: Record<string, unknown> = live[0]?.data ?? {}
  const n = data.n as number
  const updates = kept('update').length
  const promises: Promises = [
    ['E7: at most one live token of the session has left the process', live.length <= 1],
    ['E5, E9: nobody reads a session that was ended', !(isDestroyed || isRevoked) || live.length === 0],
    [
      'nobody is signed out who did not ask for it',
      !isReliable || !isAlone(reports, encounter) || live.length === 1,
    ],
    ['E1: a value that was taken is spent once', spent.length <= 1],
    ['E5: only a sign-in hands out another token than it came with', reports.every(keepsItsToken)],
    ['E5, E7, E8: a request whose session is lost hands out nothing of it', reports.every(isSilentWhenLost)],
  ]
  if (live.length > 0) {
    promises.push(
      ['E3: what was acknowledged is there', kept('set').every(({ name }) => data[name] === true)],
      ['E1: an update that was acknowledged counts', n >= updates],
      ['E1: no update counts twice', n <= does('update').length],
      ['E5: an update that was not acknowledged does not count', !isReliable || !isWhole || n === updates],
      ['E1: what was spent is gone', spent.length === 0 || data.ticket === undefined],
    )
  }
  return promises
}

function ofUsers(aftermath: Aftermath, encounter: Encounter): Promises {
  const { reports, lives, lists, origin, laptop } = aftermath
  const { failures, replyMs, isAnns, cap } = encounter
  const isReliable = failures.size === 0 && replyMs === 0
  const isLive = (token: string | undefined) => lives.some((live) => live.token === token)
  const of = (userId: string) => lives.filter((live) => live.userId === userId)
  const isPeaceful = isReliable && !reports.some(isEnding)
  const revoked = revocations(reports).flatMap(({ id }) => id ?? [])
  const browsers = new Set(reports.map(({ browser }) => browser))
  browsers.delete('browser')
  const lastTokens = [...browsers].flatMap(
    (name) => reports.findLast(({ browser, token }) => browser === name && token)?.token ?? [],
  )
  const isCapped = cap < 20
  const hasBob = reports.some(({ script }) => script.deeds.includes('bob signs in'))
  const least = Math.min(cap, hasBob ? 0 : isAnns ? 2 : 1)
  return [
    ['E9: a session is live only while it is listed', lives.every((live) => !live.userId || live.isListed)],
    ['E9: what was revoked is not listed again', !revoked.some((id) => lists.ann.includes(id))],
    ['E9: what was answered before it was revoked is dead', revokedAlive(aftermath).length === 0],
    ['E7: one old token, one user, one new token', !isPlainSignIn(encounter) || forOne(aftermath) <= 1],
    ['E11: nothing of another user', !isAnns || of('bob').every((live) => isOwn(live, reports, origin))],
    ['E10: who is not listed has left', !isReliable || lists.ann.length === of('ann').length],
    ['E10: who is not listed has left (Bob)', !isReliable || lists.bob.length === of('bob').length],
    ['E9: another device of hers lives on', !isPeaceful || isCapped || isLive(laptop)],
    ['E9: who signs in elsewhere lives on', !isPeaceful || isCapped || lastTokens.every(isLive)],
    ['E9: the cap holds', !isReliable || lists.ann.length <= Math.max(cap, isAnns ? 2 : 1)],
    ['E9: the cap ends nobody else', !isPeaceful || of('ann').length >= least],
  ]
}

/** The request itself signs somebody else in over what it did (E11). */
function isUndone({ script: { deeds } }: Report, deed: Deed): boolean {
  const signIns = (['ann signs in', 'bob signs in'] as const).map((signIn) => deeds.indexOf(signIn))
  return Math.min(...signIns) >= 0 && Math.max(...signIns) > deeds.indexOf(deed)
}

/** Ends sessions. */
function isEnding({ script }: Report): boolean {
  return script.deeds.some((deed) => deed === 'destroy' || deed.startsWith('revoke'))
}

/** Nothing ends the session, nor signs somebody else in over it. */
function isAlone(reports: Report[], { isAnns, cap }: Encounter): boolean {
  const users = new Set(isAnns ? ['ann'] : [])
  for (const { script } of reports) {
    if (script.deeds.includes('ann signs in')) users.add('ann')
    if (script.deeds.includes('bob signs in')) users.add('bob')
  }
  return users.size <= 1 && cap === 20 && !reports.some(isEnding)
}

function revocations(reports: Report[]) {
  return reports.flatMap((report) => report.revocations.filter(({ isAcknowledged }) => isAcknowledged))
}

/** Ann's tokens that had left before all her sessions were revoked. */
function revokedAlive({ reports, lives, laptop }: Aftermath): string[] {
  return reports.flatMap((revoker) =>
    revoker.revocations.flatMap(({ id, isButOwn, begunAt, isAcknowledged }) => {
      if (id !== undefined || !isAcknowledged) return []
      const others = reports.filter(
        ({ userId, answeredAt, browser }) =>
          userId === 'ann' && answeredAt < begunAt && !(isButOwn && browser === revoker.browser),
      )
      const tokens = new Set([laptop, ...others.flatMap(({ token }) => token ?? [])])
      return lives.flatMap(({ token }) => (tokens.has(token) ? token : []))
    }),
  )
}

/** Ann signs in, and nothing else happens that gives the session a new token or ends one. */
function isPlainSignIn({ scripts, cap }: Encounter): boolean {
  const deeds = scripts.flatMap((script) => [...script.deeds, ...(script.next?.deeds ?? [])])
  const others = new Set<Deed>([
    'regenerateId',
    'destroy',
    'bob signs in',
    'revoke',
    'revokeAll',
    'revokeOthers',
  ])
  return cap === 20 && !deeds.some((deed) => others.has(deed))
}

/** How many live tokens were handed out for the one that all came with. */
function forOne({ reports, lives, origin }: Aftermath): number {
  const tokens = new Set(reports.flatMap(({ came, token }) => (came === origin && token) || []))
  return lives.filter(({ token }) => tokens.has(token)).length
}

/** Bob's session holds nothing of Ann's, nor what a request did before it signed him in. */
function isOwn({ data }: Live, reports: Report[], origin: string): boolean {
  if (data[ORIGIN] || data.ticket) return false
  return reports
    .filter(({ name, came, events, script }) => {
      // What comes after a destroy begins anew.
      const isOver = came === origin && events.includes('loaded') && !script.deeds.includes('destroy')
      return data[name] && isOver
    })
    .every(({ script: { deeds } }) => deeds.indexOf('bob signs in') < deeds.indexOf('set'))
}

function keepsItsToken({ came, token, events }: Report): boolean {
  const isNew = token !== undefined && token !== came
  return !isNew || ['regenerated', 'created', 'signed-in'].some((type) => events.includes(type))
}

/** Unless it began a session of its own afterwards, or what failed came after a save that succeeded. */
function isSilentWhenLost({ events, error, token, script }: Report): boolean {
  if (token === undefined || events.includes('created')) return true
  if (error !== undefined) return script.saves === 'meanwhile'
  const lost = events.findLastIndex((type) => type === 'dropped' || type === 'missing')
  return lost <= events.lastIndexOf('signed-in')
}
