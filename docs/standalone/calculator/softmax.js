/*
 * Softmax, cross-entropy and their derivatives of scores typed as decimals, to any precision.
 *
 * A score is taken exactly as it is written: 0.1 is a tenth, not the double next to it.
 */
"use strict";

const Softmax = (() => {
  const LONGEST = 10_000; // characters of a number
  const LARGEST = 5_000; // size of a decimal exponent

  const NUMBER = /^([+-]?)(\d*)\.?(\d*)(?:e([+-]?\d+))?$/i;
  const INFINITE = /^([+-]?)(?:inf|infinity|∞)$/i;

  /** {digits, power} for digits * 10 ** power, or Infinity, or -Infinity; throws what to do. */
  function parse(text, name) {
    const plain = text.trim().replace("\u2212", "-");
    if (plain === "") throw new Error(`${name} is empty: type a number.`);
    if (plain.length > LONGEST) {
      throw new Error(`${name} has ${plain.length} characters: type at most ${LONGEST}.`);
    }
    const infinite = INFINITE.exec(plain);
    if (infinite) return infinite[1] === "-" ? -Infinity : Infinity;
    const number = NUMBER.exec(plain);
    if (!number || number[2] + number[3] === "") { // a dot alone is no number
      const shown = plain.length > 20 ? plain.slice(0, 20) + "…" : plain;
      const hint = /^[+-]?\d+,\d+$/.test(plain) ? " with a decimal point" : "";
      throw new Error(`${name}: “${shown}” is not a number. Type one${hint}, as 2, -0.5, 1e-3 or -inf.`);
    }
    const [, sign, whole, fraction, exponent = "0"] = number;
    const digits = BigInt(sign + whole + fraction);
    const power = Number(exponent) - fraction.length;
    const far = `${name} is out of range: type 0 or a number of a size from 1e-${LARGEST} to 1e${LARGEST}.`;
    if (digits === 0n) return { digits, power: 0 };
    const size = Number(exponent) + whole.replace(/^0+/, "").length;
    if (Math.abs(Number(exponent)) > 2 * LARGEST || Math.abs(size) > LARGEST) throw new Error(far);
    return { digits, power };
  }

  function parseTemperature(text) {
    const temperature = parse(text, "Temperature");
    if (typeof temperature === "number" || temperature.digits <= 0n) {
      throw new Error("Temperature must be positive and finite: type a number above 0, as 1.");
    }
    return temperature;
  }

  const tenToThe = (power) => 10n ** BigInt(power);

  /** The two numbers as BigInts in units of the same power of ten. */
  function aligned(a, b) {
    const power = Math.min(a.power, b.power);
    return [a.digits * tenToThe(a.power - power), b.digits * tenToThe(b.power - power), power];
  }

  const isLess = (a, b) => {
    if (typeof a === "number" || typeof b === "number") {
      const [x, y] = [a, b].map((number) => (typeof number === "number" ? number : 0));
      return x < y;
    }
    const [left, right] = aligned(a, b);
    return left < right;
  };

  /** (score - top) / temperature as [numerator, denominator], or 0 and -Infinity at the limits. */
  function shift(score, top, temperature) {
    if (top === Infinity) return score === Infinity ? [0n, 1n] : -Infinity;
    if (score === -Infinity) return -Infinity;
    const [left, right, power] = aligned(score, top);
    const places = power - temperature.power;
    const numerator = (left - right) * (places > 0 ? tenToThe(places) : 1n);
    return [numerator, temperature.digits * (places < 0 ? tenToThe(-places) : 1n)];
  }

  /**
   * Everything that the page shows, each number as a function of the precision in bits.
   *
   * Probabilities are never subtracted from 1: what is missing to it is the sum of the others.
   */
  function steps(scores, temperature, trueClass) {
    const top = scores.reduce((a, b) => (isLess(a, b) ? b : a));
    const isDefined = top !== -Infinity;
    const shifted = scores.map((score) => shift(score, top, temperature));
    const largest = shifted.findIndex((x) => Array.isArray(x) && x[0] === 0n);
    const computed = new Map();

    function compute(bits) {
      const P = Precise;
      const exponentials = shifted.map((x) =>
        Array.isArray(x) ? P.exponential(x[0], x[1], bits) : P.ZERO);
      const others = P.sum(exponentials.filter((_, k) => k !== largest), bits);
      const total = P.add(P.ONE, others, bits);
      const logTotal = P.logarithmOfOnePlus(others, bits);
      const p = exponentials.map((e) => P.divide(e, total, bits));
      const missing = p.map((_, k) => P.sum(p.filter((_, j) => j !== k), bits));
      const logP = shifted.map((x) => Array.isArray(x)
        ? P.add(P.ratio(x[0], x[1], bits), P.negate(logTotal), bits) : -Infinity);
      const over = (a) => P.divide(a, temperatureAt(bits), bits);
      const jacobian = p.map((a, i) => p.map((b, j) =>
        over(i === j ? P.multiply(a, missing[i], bits) : P.negate(P.multiply(a, b, bits)))));
      const loss = logP[trueClass] === -Infinity ? Infinity : P.negate(logP[trueClass]);
      const gradient = p.map((a, k) => over(k === trueClass ? P.negate(missing[k]) : a));
      return { exponentials, total, logTotal, p, logP, jacobian, loss, gradient };
    }

    function temperatureAt(bits) {
      const { digits, power } = temperature;
      return power < 0 ? Precise.ratio(digits, tenToThe(-power), bits)
        : Precise.ratio(digits * tenToThe(power), 1n, bits);
    }

    function at(bits) {
      if (!computed.has(bits)) computed.set(bits, compute(bits));
      return computed.get(bits);
    }

    return { isDefined, shifted, at };
  }

  return { parse, parseTemperature, steps };
})();

if (typeof module !== "undefined") module.exports = Softmax;
