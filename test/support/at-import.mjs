// Imports the modules that it is given, one after the other, and prints what those under the folder (the first argument)
// did meanwhile, as a JSON list of [what, file]. What others do at import, as memjs or the loader, is theirs.
import childProcess from 'node:child_process'
import nodeCrypto from 'node:crypto'
import dgram from 'node:dgram'
import dns from 'node:dns'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import tls from 'node:tls'
import { pathToFileURL } from 'node:url'

const [folder, ...files] = process.argv.slice(2)
/** Whether what is done now counts. */
let isImporting = false
const done = []

Error.stackTraceLimit = Infinity
function note(what) {
  if (!isImporting) return
  // What the loader does to write the stack is not the module's.
  isImporting = false
  const [, frame] = decodeURI(new Error('where').stack).split(folder)
  isImporting = true
  if (frame) done.push([what, /^[^:?\n]+/.exec(frame)[0]])
}

/** In place of each method one that notes its name first; `new` works as before. */
function trap(owner, of, names) {
  for (const name of names) {
    const what = of ? `${of}.${name}` : name
    const value = new Proxy(owner[name], {
      apply(target, self, parameters) {
        note(what)
        return Reflect.apply(target, self, parameters)
      },
      construct(target, parameters) {
        note(`new ${what}`)
        return Reflect.construct(target, parameters)
      },
    })
    Object.defineProperty(owner, name, { value, configurable: true, writable: true })
  }
}

const { exit, stdout } = process
trap(globalThis, '', ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'fetch', 'WebSocket'].filter((name) => name in globalThis)) // prettier-ignore
trap(Math, 'Math', ['random'])
trap(performance, 'performance', ['now'])
trap(Date, 'Date', ['now'])
trap(globalThis, '', ['Date'])
trap(Object.getPrototypeOf(crypto), 'crypto', ['getRandomValues', 'randomUUID'])
trap(Object.getPrototypeOf(crypto.subtle), 'crypto.subtle', [
  'digest', 'encrypt', 'decrypt', 'sign', 'verify', 'importKey', 'deriveBits', 'generateKey',
]) // prettier-ignore
trap(nodeCrypto, 'node:crypto', [
  'randomBytes',
  'randomFillSync',
  'createHash',
  'createHmac',
  'createCipheriv',
])
trap(net, 'node:net', ['connect', 'createConnection', 'createServer', 'Socket'])
trap(tls, 'node:tls', ['connect', 'createServer', 'createSecureContext'])
trap(dgram, 'node:dgram', ['createSocket'])
trap(dns, 'node:dns', ['lookup', 'resolve'])
trap(fs, 'node:fs', ['readFileSync', 'readFile', 'writeFileSync', 'openSync', 'existsSync', 'statSync'])
trap(childProcess, 'node:child_process', ['spawn', 'spawnSync', 'exec', 'execFile'])
trap(console, 'console', ['log', 'info', 'warn', 'error', 'debug'])
trap(process, 'process', ['on', 'once', 'nextTick', 'emitWarning', 'hrtime', 'exit', 'cwd'])
syncBuiltinESMExports()
Object.defineProperty(process, 'env', {
  value: new Proxy(process.env, {
    get(target, name) {
      note('process.env')
      return target[name]
    },
    has(target, name) {
      note('process.env')
      return name in target
    },
    ownKeys(target) {
      note('process.env')
      return Reflect.ownKeys(target)
    },
  }),
})

isImporting = true
for (const file of files) await import(pathToFileURL(file).href)
// Whatever was put off to another turn comes now.
await new Promise((resolve) => {
  setTimeout(resolve, 10)
})
isImporting = false
stdout.write(JSON.stringify(done), () => exit())
