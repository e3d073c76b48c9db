import { parseAst } from 'vitest/node'

interface Node {
  type: string
  [property: string]: unknown
}

/**
 * The titles in `it('…')`, `it.each(…)('…')` and the like, and those of the attacks in `describeAttacks('…', […])`;
 * with `callers` given, those of other functions' calls.
 */
export function titlesIn(source: string, callers: readonly string[] = ['it']): string[] {
  const titles: string[] = []
  const visit = (value: unknown, isAttack: boolean): void => {
    if (Array.isArray(value)) for (const each of value) visit(each, isAttack)
    if (!isNode(value)) return
    const name = value.type === 'CallExpression' ? nameOf(value) : ''
    const { value: title } = textIn(
      callers.includes(String(name)) ? (value['arguments'] as unknown[])[0] : undefined,
    )
    if (title !== undefined) titles.push(title)
    if (isAttack && value.type === 'Property' && (value['key'] as Node)['name'] === 'title') {
      const { value: attack } = textIn(value['value'])
      if (attack !== undefined) titles.push(attack)
    }
    for (const child of Object.values(value)) visit(child, isAttack || name === 'describeAttacks')
  }
  visit(parseAst(source, { lang: 'ts' }).body, false)
  return titles
}

/** `it` of `it(…)`, `it.concurrent(…)` and `it.each(…)(…)`. */
function nameOf(call: Node): unknown {
  let callee = call['callee'] as Node
  while (callee.type === 'MemberExpression' || callee.type === 'CallExpression') {
    // The table of it.each(…) is no title: only the call of what it gives is.
    if (callee.type === 'MemberExpression') {
      if (['each', 'for'].includes(String((callee['property'] as Node)['name'])) && callee === call['callee'])
        return ''
      callee = callee['object'] as Node
    } else callee = callee['callee'] as Node
  }
  return callee['name']
}

function textIn(node: unknown): { value?: string } {
  return isNode(node) && node.type === 'Literal' && typeof node['value'] === 'string'
    ? { value: node['value'] }
    : {}
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value
}
