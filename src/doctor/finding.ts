import type { KeySample } from './key-sample.ts'

/** One thing that the doctor says of a server. */
export interface Finding {
  /** `unfit`: sessions cannot live there. `skipped`: could not be looked at. */
  level: 'unfit' | 'warning' | 'skipped' | 'ok'
  /** What it is about, for machines. */
  topic: string
  /** What the server does, or is; a sentence without its subject. */
  message: string
  /** What to do about it. */
  advice?: string
}

/** `server` is a `host:port`, or `all` for what concerns their list. */
export type LocatedFinding = { server: string } & Finding

/** Of what may be said on each topic, the first that holds. */
export function firstOfEach(candidates: readonly [holds: boolean, finding: Finding][]): Finding[] {
  const held = candidates.filter(([holds]) => holds).map(([, finding]) => finding)
  return held.filter(({ topic }, at) => held.findIndex((each) => each.topic === topic) === at)
}

export function located(server: string, findings: readonly Finding[]): LocatedFinding[] {
  return findings.map((finding) => ({ server, ...finding }))
}

/** All that was read of one memcached. */
export interface Reading {
  stats: ReadonlyMap<string, string>
  /** Empty where the server does not tell. */
  settings: ReadonlyMap<string, string>
  /** This host's clock when the server told its own, in milliseconds. */
  readAt: number
  /** What came of trying those of a store. */
  operations: Finding
  keys: KeySample | { omitted: string }
  keyPrefix: string
  /** The limit of the store. */
  maxBytes: number
}

export function ok(topic: string, message: string): Finding {
  return { level: 'ok', topic, message }
}

export function skipped(topic: string, message: string): Finding {
  return { level: 'skipped', topic, message }
}

export function warning(topic: string, message: string, advice: string): Finding {
  return { level: 'warning', topic, message, advice }
}

export function unfit(topic: string, message: string, advice: string): Finding {
  return { level: 'unfit', topic, message, advice }
}
