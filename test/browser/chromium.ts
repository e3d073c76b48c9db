import { accessSync, constants } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { chromium, type BrowserContext, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll } from 'vitest'

// Found when this is imported: what lacks it fails, and is not skipped.
const executablePath = findChromium()

/** A visitor with a profile and a tab. */
export interface Visitor {
  context: BrowserContext
  page: Page
  /** Closes the browser and opens it again, with the same profile and a fresh tab. */
  restart(): Promise<void>
}

/**
 * One Chromium for the tests of a file, and one visitor, who forgets all cookies between them: a browser of its own would
 * cost each test seconds.
 */
export function useVisitor(options: { userAgent?: string } = {}): Visitor {
  let profile: string
  const open = async () => {
    visitor.context = await chromium.launchPersistentContext(profile, { ...launchOptions(), ...options })
    visitor.context.setDefaultTimeout(10_000)
    visitor.page = visitor.context.pages()[0] ?? (await visitor.context.newPage())
  }
  const visitor = {
    async restart() {
      await visitor.context.close()
      await open()
    },
  } as Visitor
  beforeAll(async () => {
    profile = await mkdtemp(join(tmpdir(), 'holdfast-chromium-'))
    await open()
  })
  afterEach(() => visitor.context.clearCookies())
  afterAll(async () => {
    await visitor.context?.close()
    await rm(profile, { recursive: true, maxRetries: 5 })
  })
  return visitor
}

function launchOptions(): NonNullable<Parameters<typeof chromium.launchPersistentContext>[1]> {
  return {
    executablePath,
    args: [
      '--no-sandbox', // which root cannot have
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--renderer-process-limit=1', // a fifth less to compute; other sites get processes of their own regardless
      // Names that no DNS knows. Those under .localhost need no rule, and are as trustworthy as https (W3C Secure Contexts).
      '--host-resolver-rules=MAP *.test 127.0.0.1',
    ],
    // Visitors have it: the page that "back" brings up may be the very one that they left.
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
  }
}

function findChromium(): string {
  const places = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'chromium'))
  const found = places.find((place) => isExecutable(place))
  if (found === undefined)
    throw new Error('missing: chromium; install with: sudo apt-get install -y chromium')
  return found
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
