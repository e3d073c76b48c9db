import { inspect } from 'node:util'

export interface ConsoleWatch {
  /** All that was written since, in one text. */
  stop(): string
}

const watches = new Set<string[]>()
let putBack = () => {}

/** Notes what anything in this process writes to the console, to standard output or to standard error. */
export function watchConsole(): ConsoleWatch {
  const written: string[] = []
  if (watches.size === 0) putBack = listenIn()
  watches.add(written)
  return {
    stop() {
      if (watches.delete(written) && watches.size === 0) putBack()
      return written.join('\n')
    },
  }
}

/** The console as well as the streams: not every runtime's console writes through these. */
function listenIn(): () => void {
  const undo = [process.stdout, process.stderr].map((stream) => overhear(stream, 'write'))
  for (const method of ['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir'] as const) {
    undo.push(overhear(console, method))
  }
  return () => {
    for (const each of undo) each()
  }
}

function overhear<Name extends string>(
  target: Record<Name, (...args: any[]) => unknown>,
  name: Name,
): () => void {
  const original = target[name]
  target[name] = (...args: unknown[]) => {
    const text = args.map(inTextForm).join(' ')
    for (const written of watches) written.push(text)
    return original.apply(target, args)
  }
  return () => {
    target[name] = original
  }
}

function inTextForm(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString()
  return typeof value === 'string' ? value : toldOf(value)
}

/** All that a log could make of a value: the stack and the causes of errors, whatever is nested. */
export function toldOf(value: unknown): string {
  return inspect(value, { depth: 10, maxStringLength: Infinity, maxArrayLength: Infinity })
}
