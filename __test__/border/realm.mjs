// The package in a realm of its own, as jest and the vm pools of vitest load it: with globals that
// are not those of Node, and perhaps faked before anything is imported.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import process from 'node:process'
import vm from 'node:vm'
import { root } from '../contract/open.mjs'

const outer = createRequire(join(root, 'package.json'))

/** What the package exports in a realm whose globals are `globals` and whose process is a copy. */
export function loadInRealm(globals, overrides) {
  const { Buffer, URL, AbortController, AbortSignal } = globalThis
  const own = Object.assign(Object.create(process), overrides)
  const context = vm.createContext({
    Buffer,
    URL,
    AbortController,
    AbortSignal,
    ...globals,
    process: own,
  })
  const modules = new Map()

  const load = path => {
    const known = modules.get(path)
    if (known) return known.exports
    const module = { exports: {} }
    modules.set(path, module)
    const text = readFileSync(path, 'utf8')
    const wrapped = `(function (exports, require, module, __filename, __dirname) {${text}\n})`
    const compiled = vm.runInContext(wrapped, context, { filename: path })
    compiled(module.exports, requireFrom(path), module, path, dirname(path))
    return module.exports
  }

  const requireFrom = path => name => {
    if (/^(node:)?process$/.test(name)) return own
    return name.startsWith('./') ? load(`${join(dirname(path), name)}.js`) : outer(name)
  }

  return load(join(root, 'dist/index.js'))
}
