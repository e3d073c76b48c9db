/** What is measured of the built package and not exported by it: by its place below dist/core, which is that below src. */
interface Modules {
  index: typeof import('../../src/core/index.ts')
  'crypto/keyring': typeof import('../../src/core/crypto/keyring.ts')
  'http/cookie': typeof import('../../src/core/http/cookie.ts')
  'stores/memcached/client': typeof import('../../src/core/stores/memcached/client.ts')
  'stores/memcached/memcached-store': typeof import('../../src/core/stores/memcached/memcached-store.ts')
}

export function built<Place extends keyof Modules>(place: Place): Promise<Modules[Place]> {
  return import(new URL(`../../dist/core/${place}.js`, import.meta.url).href) as Promise<Modules[Place]>
}
