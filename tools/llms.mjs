// What the package has for tools that read, of the guides as they are (https://llmstxt.org).
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

const readme = readFileSync('README.md', 'utf8')
const guides = readdirSync('docs', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`)
  .toSorted()

/** Of each guide in README's table what its row says of it: of two in a row, the part after the last semicolon is the second's. */
const notes = new Map()
const [, table] = readme.split('\n## Guides\n')
for (const [, pages, about] of table.matchAll(/^\| (\[.*?) \| (.*) \|$/gm)) {
  const paths = [...pages.matchAll(/\]\(([^)]+)\)/g)].map(([, path]) => path)
  const cut = paths.length > 1 ? about.lastIndexOf('; ') : about.length
  for (const [index, path] of paths.entries()) {
    notes.set(path, plain(index === 0 ? about.slice(0, cut) : about.slice(cut + 2)))
  }
}

const isHost = (path) => path.startsWith('docs/frameworks/')
const isReference = (path) => path.startsWith('docs/reference/')
const others = guides.filter((path) => !notes.has(path) && !isHost(path) && !isReference(path))
const sections = {
  Guides: ['README.md', ...notes.keys(), ...others].filter((path) => !isReference(path)),
  Frameworks: guides.filter(isHost),
  Reference: guides.filter(isReference),
  Optional: ['CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md'],
}
const [title, blurb] = readme.split('\n\n')
const listed = Object.entries(sections).map(
  ([name, paths]) => `## ${name}\n\n${paths.map((path) => `- ${lineOf(path)}`).join('\n')}\n`,
)
writeFileSync('llms.txt', `${title}\n\n> ${blurb}\n\n${listed.join('\n')}`)

const { Optional: _, ...read } = sections
const pages = Object.values(read).flat()
const whole = pages.map((path) => `<!-- ${path} -->\n\n${readFileSync(path, 'utf8')}`)
writeFileSync('llms-full.txt', whole.join('\n'))

function lineOf(path) {
  const heading = /^# (.*)$/m.exec(readFileSync(path, 'utf8'))[1]
  const note = notes.get(path)
  return `[${heading}](${path})${note ? `: ${note}` : ''}`
}

/** Links of a row are listed themselves. */
function plain(text) {
  return text.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
}
