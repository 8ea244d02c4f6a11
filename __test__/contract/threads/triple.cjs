'use strict'

Object.defineProperty(exports, '__esModule', { value: true })
exports.default = ({ data }) => data * 3
