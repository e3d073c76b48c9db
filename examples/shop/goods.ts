import { setTimeout as sleep } from 'node:timers/promises'
import type { ObjectCache } from './object-cache.ts'

export interface Good {
  id: string
  name: string
  about: string
  price: number
}

const GOODS: readonly Good[] = [
  { id: 'hawser', name: 'Manila hawser', about: '20 m of three-strand rope, 24 mm', price: 48 },
  { id: 'cleat', name: 'Bronze cleat', about: 'Two horns, four bolts, holds fast', price: 19 },
  { id: 'kedge', name: 'Kedge anchor', about: '9 kg, folding stock, galvanised', price: 120 },
  { id: 'snatch-block', name: 'Snatch block', about: 'Ash cheeks on a brass sheave', price: 36 },
  { id: 'lantern', name: 'Anchor light', about: 'All round white, seen at two miles', price: 64 },
  { id: 'marlinspike', name: 'Marlinspike', about: 'Forged steel, for knots with opinions', price: 12 },
]

export interface Catalogue {
  goods: readonly Good[]
  isCached: boolean
  milliseconds: number
}

/** The catalogue, from the cache or computed. A cache that is down costs time, never a page. */
export async function loadCatalogue(cache: ObjectCache): Promise<Catalogue> {
  const start = performance.now()
  const cached = await cache.get('catalogue').catch(() => undefined)
  const goods: readonly Good[] = cached === undefined ? await computeGoods() : JSON.parse(cached)
  if (cached === undefined) await cache.set('catalogue', JSON.stringify(goods)).catch(() => {})
  return { goods, isCached: cached !== undefined, milliseconds: performance.now() - start }
}

export function findGood(id: unknown): Good | undefined {
  return GOODS.find((good) => good.id === id)
}

/** Stands for the slow query that made somebody want a cache. */
async function computeGoods(): Promise<readonly Good[]> {
  await sleep(400)
  return GOODS
}
