"""The softmax calculator of the documentation in a real browser, beside mpmath and `functional`.

Each digit that the page shows is compared with the same quantity at a much higher precision. The
tests need Chromium, its driver and the packages of the extra `browser`, and are skipped without.
"""

import shutil
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from exact_softmax import assert_agrees, random_case

from softmax_regression.functional import cross_entropy, softmax, softmax_jacobian

webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium: the extra 'browser'")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
PAGE = Path(__file__).parents[1] / "docs/standalone/calculator/index.html"
EPS = np.finfo(np.float64).eps

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver on the PATH"
)

# What the page shows, hidden parts left out.
SHOWN = """
const cells = [...document.querySelectorAll("[data-quantity]")].filter((cell) => cell.offsetParent);
return Object.fromEntries(cells.map((cell) => [cell.dataset.quantity, cell.textContent]));
"""
# Follow a link within the page, and wait until it has.
FOLLOW = """
const [link, done] = arguments;
addEventListener("hashchange", () => done(), { once: true });
if (location.hash === link) done();
location.hash = link;
"""


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-ipc-flooding-protection",  # these tests follow links faster than people
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_window_size(1280, 900)
    yield driver
    driver.quit()


@pytest.fixture
def page(browser):
    browser.get("about:blank")
    browser.get(PAGE.as_uri())
    yield browser
    assert [entry["message"] for entry in browser.get_log("browser")] == []


def show(page, scores, temperature="1", true_class=0, digits=6):
    """Open the link to a calculation and return what the page shows."""
    encoded = ",".join(quote(score, safe="") for score in scores)
    link = f"#z={encoded}&T={quote(temperature, safe='')}&true={true_class}&digits={digits}"
    page.execute_async_script(FOLLOW, link)
    return page.execute_script(SHOWN)


def n_quantities(n_classes):
    """Count what the page shows: five columns, the Jacobian, three sums, the twin of two scores."""
    return 5 * n_classes + n_classes**2 + 3 + 3 * (n_classes == 2)


HOSTILE = [  # scores, temperature, digits
    (["inf", "0"], "1", 50),
    (["inf", "inf", "3"], "0.1", 20),
    (["inf", "-inf"], "7", 8),
    (["-inf", "-1000", "-1001"], "1", 50),
    (["-inf", "0"], "3", 6),
    (["1e308", "-1e308", "0"], "1", 50),
    (["1e308", "1e308"], "1e-300", 10),
    (["1.7976931348623157e308", "-1.7976931348623157e308"], "1e308", 50),
    (["5e-324", "0"], "1", 50),
    (["5e-324", "-5e-324", "2.2250738585072014e-308"], "4.9e-324", 50),
    (["40", "0"], "1", 50),
    (["0", "1e5"], "1", 50),
    (["0", "-0", "+0", "0e9"], "1", 50),
    (["0." + "3" * 4000, "0.1"], "1", 50),
    (["1" * 300, "1" * 299 + "2"], "1", 50),
    (["9" * 3000 + "e-2999", "-" + "7" * 2500 + "e-2500"], "1." + "0" * 2000 + "1", 50),
    (["0." + "0" * 3000 + "1", "0"], "1", 50),
    (["1e999", "0"], "1", 30),
    (["0.1", "0.2", "0.3"], "1e-9", 40),
    (["3"], "1", 50),
    (["1"] * 16, "1", 1),
    (["0", "1e-40"], "1", 1),
]

REFUSED = [  # scores, temperature, digits, field at fault, words of the message
    (["", "1"], "1", "6", "score-0", "empty"),
    (["1", "   "], "1", "6", "score-1", "empty"),
    (["two", "1"], "1", "6", "score-0", "not a number"),
    (["NaN", "1"], "1", "6", "score-0", "not a number"),
    (["1,5", "1"], "1", "6", "score-0", "decimal point"),
    (["1e99999999999", "1"], "1", "6", "score-0", "out of range"),
    (["<b>1</b>", "1"], "1", "6", "score-0", "not a number"),
    (["9" * 20_000, "1"], "1", "6", "score-0", "20000 characters"),
    (["0x10", "1"], "1", "6", "score-0", "not a number"),
    (["1", "0"], "0", "6", "temperature", "positive"),
    (["1", "0"], "-1", "6", "temperature", "positive"),
    (["1", "0"], "inf", "6", "temperature", "positive"),
    (["1", "0"], "", "6", "temperature", "empty"),
    (["1", "0"], "1", "51", "digits", "from 1 to 50"),
    (["1", "0"], "1", "many", "digits", "from 1 to 50"),
    (["1", "0"], "1", "2.5", "digits", "from 1 to 50"),
]


def test_every_digit_of_200_random_calculations_is_right(page):
    rng = np.random.default_rng(0)
    for _ in range(200):
        case = random_case(rng)
        shown = show(page, *case)
        assert len(shown) == n_quantities(len(case[0]))
        assert_agrees(shown, *case)


@pytest.mark.parametrize(("scores", "temperature", "digits"), HOSTILE)
def test_every_digit_of_a_hostile_calculation_is_right(page, scores, temperature, digits):
    for true_class in {0, len(scores) - 1}:
        shown = show(page, scores, temperature, true_class, digits)
        assert len(shown) == n_quantities(len(scores))
        assert_agrees(shown, scores, temperature, true_class, digits)


@pytest.mark.parametrize(("scores", "temperature", "digits", "field", "words"), REFUSED)
def test_what_is_no_number_is_named_beside_its_field(
    page, scores, temperature, digits, field, words
):
    assert show(page, scores, temperature, 0, digits) == {}
    assert words in page.find_element(By.ID, f"{field}-error").text
    assert page.find_element(By.ID, field).get_attribute("aria-invalid") == "true"
    assert len(page.find_elements(By.CSS_SELECTOR, "[aria-invalid]")) == 1
    assert "Not yet a calculation" in page.find_element(By.ID, "summary").text


def test_scores_that_are_all_minus_infinity_have_no_softmax(page):
    assert show(page, ["-inf", "-inf"]) == {}
    assert "no softmax" in page.find_element(By.ID, "summary").text
    with np.errstate(invalid="ignore"):
        assert np.isnan(softmax([-np.inf, -np.inf])).all()


def test_the_page_agrees_with_functional(page):
    rng = np.random.default_rng(1)
    for _ in range(40):
        scores, temperature, true_class, _ = random_case(rng)
        shown = show(page, scores, temperature, true_class, 17)
        z, T = np.array(scores, dtype=float), float(temperature)
        depth = np.abs(z[np.isfinite(z)]).max(initial=0) / T
        tolerance = {"rtol": EPS * (16 + 8 * depth), "atol": 1e-300}
        p = [number(shown[f"p {k}"]) for k in range(len(z))]
        np.testing.assert_allclose(softmax(z, temperature=T), p, **tolerance)
        jacobian = [
            [number(shown[f"jacobian {i} {j}"]) for j in range(len(z))] for i in range(len(z))
        ]
        tolerance["rtol"] *= 2
        np.testing.assert_allclose(softmax_jacobian(z, temperature=T), jacobian, **tolerance)
        loss = cross_entropy(z / T, np.array(true_class))
        np.testing.assert_allclose(loss, number(shown["cross-entropy"]), **tolerance)


def number(text):
    text = text.replace("\u2212", "-").replace("∞", "inf")
    return 0.0 if "10^(" in text else float(text)


# -- the page as people use it ---------------------------------------------------------------------


def test_it_is_used_by_keyboard_alone(page):
    first = page.find_element(By.ID, "score-0")
    first.send_keys(Keys.CONTROL, "a")
    first.send_keys("0.5", Keys.TAB)
    slider = page.switch_to.active_element
    assert slider.get_attribute("aria-label") == "Score of class 0, by slider"
    assert float(slider.get_attribute("value")) == 0.5
    slider.send_keys(Keys.ARROW_RIGHT)
    assert first.get_attribute("value") == "0.6"
    page.find_element(By.ID, "add").send_keys(Keys.ENTER)
    page.switch_to.active_element.send_keys(Keys.CONTROL, "a")
    page.switch_to.active_element.send_keys("3")
    Select(page.find_element(By.ID, "true-class")).select_by_visible_text("class 3")
    page.find_element(By.ID, "temperature").send_keys(Keys.END, ".5")
    page.find_element(By.ID, "digits-slider").send_keys(Keys.END)
    assert_agrees(page.execute_script(SHOWN), ["0.6", "1", "0", "3"], "1.5", 3, 50)
    page.find_element(By.CSS_SELECTOR, "[aria-label='Remove class 0']").send_keys(Keys.SPACE)
    assert_agrees(page.execute_script(SHOWN), ["1", "0", "3"], "1.5", 2, 50)


def test_a_link_holds_all_that_was_typed(page):
    show(page, ["1e-3", "-inf", "a,b&c=%"], "0.25", 1, "x")
    link = page.find_element(By.ID, "link").get_attribute("href")
    page.get("about:blank")
    page.get(link)
    values = [page.find_element(By.ID, f"score-{k}").get_attribute("value") for k in range(3)]
    assert values == ["1e-3", "-inf", "a,b&c=%"]
    assert page.find_element(By.ID, "temperature").get_attribute("value") == "0.25"
    assert page.find_element(By.ID, "digits").get_attribute("value") == "x"
    assert Select(page.find_element(By.ID, "true-class")).first_selected_option.text == "class 1"


@pytest.mark.parametrize("link", ["#", "#z", "#&&=", "#z=&T", "#true=-5&z=1", "#true=9", "#%zz=%"])
def test_a_broken_link_leaves_a_page_that_works(page, link):
    page.get("about:blank")
    page.get(PAGE.as_uri() + link)
    field = page.find_element(By.ID, "score-0")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys("0")
    page.find_element(By.ID, "temperature").send_keys(Keys.CONTROL, "a")
    page.find_element(By.ID, "temperature").send_keys("1")
    assert "p 0" in page.execute_script(SHOWN)


def test_more_scores_than_fit_are_told(page):
    show(page, ["1"] * 40)
    assert "held 40 scores" in page.find_element(By.ID, "left-out").text
    assert page.find_element(By.ID, "add").get_attribute("disabled")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_its_window_and_axe_finds_nothing(page, width, scheme):
    axe = pytest.importorskip("axe_core_python.selenium", reason="needs the extra 'browser'").Axe()
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    for scores, digits in ((["2", "1", "0"], 50), (["word", "1"], 6), (["1"] * 16, 50)):
        show(page, scores, digits=digits)
        assert page.execute_script("return document.documentElement.scrollWidth") <= width
        assert [violation["id"] for violation in axe.run(page)["violations"]] == []
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
