import { execFile } from 'node:child_process'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { pack, temporaryFolder } from '../package/project.ts'

/** A folder of a test's own with the packages of test/hosts and, packed and installed, Holdfast. */
export interface Projects {
  /** A project in it, of copies of these folders' files. */
  begin(name: string, ...folders: string[]): Promise<string>
  remove(): Promise<void>
}

export async function prepareProjects(): Promise<Projects> {
  const { path, remove } = await temporaryFolder()
  const home = join(path, 'home')
  try {
    const { tarball } = await pack(path)
    await mkdir(home)
    const hosts = ['package.json', 'package-lock.json', 'node_modules'].map((name) =>
      resolve('test/hosts', name),
    )
    // Node's own cp takes a minute for so many files.
    await run('cp', ['-R', ...hosts, '.'], home)
    await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], home)
  } catch (error) {
    await remove()
    throw error
  }
  return {
    async begin(name, ...folders) {
      const project = join(home, name)
      for (const folder of folders) await cp(folder, project, { recursive: true })
      const description = { private: true, type: 'module', dependencies: { holdfast: '*' } }
      await writeFile(join(project, 'package.json'), JSON.stringify(description))
      return project
    },
    remove,
  }
}

/** What a line of a shell says; rejects with it where that fails. */
export function say(line: string, cwd: string): Promise<string> {
  return run('sh', ['-ec', line], cwd)
}

async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  const env = { ...outerEnvironment(), NEXT_TELEMETRY_DISABLED: '1', NO_COLOR: '1' }
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args, { cwd, env, maxBuffer: 10_000_000 })
    return stdout + stderr
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    throw new Error(`${command} ${args.join(' ')}\n${stdout}${stderr}`, { cause: error })
  }
}

/** What vitest sets for what it runs, some of which build tools heed, and what is meant for Node alone. */
const OF_TESTS = /^(VITEST.*|TEST|NODE_ENV|NODE_OPTIONS|DEV|PROD|MODE|SSR|BASE_URL)$/

function outerEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !OF_TESTS.test(name)))
}
