import { execFile } from 'node:child_process'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { pack, temporaryFolder } from '../package/project.ts'

const run = promisify(execFile)

/** A folder of a test's own with the packages of test/hosts and, packed and installed, Holdfast. */
export interface Projects {
  /** A project in it, of copies of these folders' files. */
  begin(name: string, ...folders: string[]): Promise<string>
  remove(): Promise<void>
}

export async function prepareProjects(): Promise<Projects> {
  const { path, remove } = await temporaryFolder()
  const home = join(path, 'home')
  const { tarball } = await pack(path)
  await mkdir(home)
  // Node's own cp takes a minute for so many files.
  await say(`cp -R ${resolve('test/hosts')}/package*.json ${resolve('test/hosts')}/node_modules .`, home)
  await say(`npm install --prefer-offline --no-audit --no-fund ${tarball}`, home)
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

/** What a command of a shell says; rejects with it where that fails. Knows of no test around it, as build tools would. */
export async function say(command: string, cwd: string): Promise<string> {
  const { PATH, HOME } = process.env
  const env = { PATH, HOME, NEXT_TELEMETRY_DISABLED: '1', NO_COLOR: '1' }
  try {
    const { stdout, stderr } = await run('sh', ['-ec', command], { cwd, env, maxBuffer: 10_000_000 })
    return stdout + stderr
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    throw new Error(`${command}\n${stdout}${stderr}`, { cause: error })
  }
}
