import { readdirSync } from 'node:fs'

/** The guides, with their folders, in the order of their names. */
export const guides = readdirSync('docs', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .toSorted()
  .map((name) => `docs/${name}`)

/** All that a user reads: what stands at the top of the project, and the guides. */
export const documents = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md', ...guides]
