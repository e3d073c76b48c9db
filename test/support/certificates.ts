import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** A certificate and its key: files for memcached, PEM for a store. */
export interface Certificate {
  certFile: string
  keyFile: string
  cert: string
  key: string
}

/** A certificate authority of a test's own. */
export interface Authority extends Certificate {
  /** Signs a certificate for these names and addresses that is valid for two days from `start` on. */
  sign(names: readonly string[], validity?: Validity): Promise<Certificate>
  /** Takes its files away. */
  remove(): Promise<void>
}

export interface Validity {
  /** As faketime reads it: `'-10d'`. Default: now. */
  start?: string
}

export async function makeAuthority(): Promise<Authority> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-certificates-'))
  const root = await make(folder, 'authority', ['-addext', 'basicConstraints=critical,CA:true'])
  let signed = 0
  return {
    ...root,
    sign: (names, validity) =>
      make(
        folder,
        `signed-${++signed}`,
        [
          '-CA',
          root.certFile,
          '-CAkey',
          root.keyFile,
          '-addext',
          `subjectAltName=${names.map(alternativeName)}`,
        ],
        validity,
      ),
    remove: () => rm(folder, { recursive: true }),
  }
}

async function make(
  folder: string,
  name: string,
  args: readonly string[],
  { start }: Validity = {},
): Promise<Certificate> {
  const certFile = join(folder, `${name}.pem`)
  const keyFile = join(folder, `${name}.key`)
  const command =
    `openssl req -x509 -config /dev/null -days 2 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes`
      .split(' ')
      .concat('-subj', `/CN=${name}`, '-out', certFile, '-keyout', keyFile, args)
  // OpenSSL 3.0 takes no date to begin with and no days below 0.
  const [program, ...rest] = start === undefined ? command : ['faketime', '-f', start, ...command]
  await promisify(execFile)(program!, rest)
  return {
    certFile,
    keyFile,
    cert: await readFile(certFile, 'utf8'),
    key: await readFile(keyFile, 'utf8'),
  }
}

function alternativeName(name: string): string {
  return /^[\d.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`
}
