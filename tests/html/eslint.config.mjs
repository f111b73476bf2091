import js from "@eslint/js";

// The page's files are one script: what one of them declares the others use, which the types are checked for.
const page = {
  files: ["src/output/html/*.js", "src/server/console/*.js"],
  languageOptions: { sourceType: "script", ecmaVersion: 2023 },
  rules: {
    "no-undef": "off",
    "no-unused-vars": ["error", { vars: "local", args: "after-used" }],
    "no-restricted-properties": ["error",
      ...["innerHTML", "outerHTML", "insertAdjacentHTML", "write", "writeln"].map((property) => ({
        property, message: "names of keys are hostile: add text as text",
      })),
    ],
    "no-eval": "error",
    "no-implied-eval": "error",
    "no-new-func": "error",
    eqeqeq: "error",
    "prefer-const": "error",
    "no-var": "error",
    curly: "error",
  },
};

const driver = {
  files: ["**/*.mjs"],
  languageOptions: { sourceType: "module", ecmaVersion: 2023 },
  rules: { eqeqeq: "error", "prefer-const": "error", "no-var": "error", "no-undef": "off" },
};

export default [js.configs.recommended, page, driver];
