// Makes the pages of docs/reference/, one for each entry of the package, of the docstrings in src/; in another folder
// where one is named, whose content is replaced.
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Application } from 'typedoc'
import { MarkdownPageEvent, MarkdownTheme, MarkdownThemeContext } from 'typedoc-plugin-markdown'

const root = fileURLToPath(new URL('../..', import.meta.url))
const out = resolve(process.argv[2] ?? join(root, 'docs/reference'))
const { name, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
/** Of each source file that is an entry, what it is imported by. */
const entries = new Map(
  Object.entries(exports)
    .filter(([, { types }]) => types)
    .map(([entry, { types }]) => [
      join(root, types.replace('./dist/', 'src/').replace('.d.ts', '.ts')),
      join(name, entry),
    ]),
)

const app = await Application.bootstrapWithPlugins({
  plugin: ['typedoc-plugin-markdown'],
  entryPoints: [...entries.keys()],
  tsconfig: join(root, 'tsconfig.build.json'),
  out,
  readme: 'none',
  disableGit: true,
  disableSources: true,
  excludeExternals: true,
  excludeInternal: true,
  excludePrivate: true,
  groupOrder: ['Functions', 'Classes', 'Interfaces', 'Type Aliases', 'Variables'],
  sort: ['source-order'],
  sortEntryPoints: false,
  // Each is said where it is used.
  intentionallyNotExported: ['NodeRequest', 'Refusal', 'Send'],
  treatValidationWarningsAsErrors: true,
  theme: 'brief',
  entryFileName: 'README.md',
  outputFileStrategy: 'modules',
  hideBreadcrumbs: true,
  hideGroupHeadings: true,
  hidePageHeader: true,
  expandObjects: true,
  expandParameters: true,
  useCodeBlocks: true,
  parametersFormat: 'none',
  classPropertiesFormat: 'table',
  interfacePropertiesFormat: 'table',
  propertyMembersFormat: 'table',
  typeDeclarationFormat: 'table',
  tableColumnSettings: { hideDefaults: true, hideInherited: true, hideModifiers: true, hideOverrides: true },
})

/** No section for what the signature says already, or for what stands above a class; of a short union one line. */
const nothing = () => ''
const oneLine = (union) => union.replace(/^\n {2}\\\| /, '').replaceAll('\n  \\| ', ' \\| ')
class BriefContext extends MarkdownThemeContext {
  constructor(...given) {
    super(...given)
    Object.assign(this.partials, { signatureReturns: nothing, inheritance: nothing, hierarchy: nothing })
    const { unionType } = this.partials
    this.partials.unionType = (model) =>
      model.types.length > 4 ? unionType(model) : oneLine(unionType(model))
  }
}
app.renderer.defineTheme(
  'brief',
  class extends MarkdownTheme {
    getRenderContext(page) {
      return new BriefContext(this, page, this.application.options)
    }
  },
)
app.renderer.on(MarkdownPageEvent.END, (page) => {
  if (page.url === 'README.md') page.contents = index(page.project)
  // Nothing links to a row of a table.
  page.contents = page.contents
    .replaceAll(/<a id="[^"]*"><\/a> |^#+ Get Signature\n\n/gm, '')
    .replaceAll(/ +$/gm, '')
})

function index(project) {
  const link = (to) => `[\`${to.name}\`](${app.renderer.router.getFullUrl(to)})`
  const rows = project.children.map((entry) => `| ${link(entry)} | ${entry.children.map(link).join(', ')} |`)
  return `# Reference

What each entry of the package exports, as the comments in its sources say it. [The guides](../../README.md#guides) say what to do with it.

| import from | |
|---|---|
${rows.join('\n')}
`
}

const entryPoints = app.getEntryPoints()
for (const entry of entryPoints) entry.displayName = entries.get(entry.sourceFile.fileName)
const project = app.converter.convert(entryPoints)
// Members stand as in the sources; exports, which come from many files, by name. Anchors are counted in that order.
for (const entry of project.children) {
  for (const { children } of entry.groups) children.sort((one, other) => (one.name < other.name ? -1 : 1))
  entry.children = entry.groups.flatMap(({ children }) => children)
}
app.validate(project)
await app.generateOutputs(project)
if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exit(1)
