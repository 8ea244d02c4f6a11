module.exports = ({ data }) => data * 4
