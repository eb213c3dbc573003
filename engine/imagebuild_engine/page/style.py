"""The page's one style sheet. Colours have a name each, and two values: for a light and for a dark page."""

LIGHT = {
    "bg": "#fdfdfc",
    "fg": "#1d1f22",
    "mute": "#5c626a",
    "edge": "#e3e5e7",
    "soft": "#f3f4f4",
    "rail": "#a3a9b1",
    "hit": "#1b7349",
    "ran": "#9a5200",
    "special": "#6446ab",
    "bad": "#b3261e",
    "saved": "#a9d3bd",
}
DARK = {
    "bg": "#141619",
    "fg": "#e4e6e8",
    "mute": "#9ba2ab",
    "edge": "#2b2f34",
    "soft": "#1d2024",
    "rail": "#5d646d",
    "hit": "#5cc491",
    "ran": "#e6a750",
    "special": "#b6a1f2",
    "bad": "#ff8f80",
    "saved": "#2f5f47",
}
TEXT_COLOURS = ("fg", "mute", "hit", "ran", "special", "bad")
"""Those that text is written in, on `bg` or on `soft`."""


def style_sheet(*, gutter: int) -> str:
    """All of it; `gutter` is the graph's width in pixels."""
    return (
        f":root{{color-scheme:light dark;--gutter:{gutter}px;{_variables(LIGHT)}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}\n"
        f"@media print{{:root{{color-scheme:light;{_variables(LIGHT)}}}}}\n{_RULES}"
    )


def _variables(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())


_RULES = """\
*{box-sizing:border-box}
html{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
 background:var(--bg);color:var(--fg);-webkit-text-size-adjust:100%;text-size-adjust:100%;scroll-padding-top:1rem}
body{max-width:72rem;margin:0 auto;padding:2.5rem 2rem 3rem;overflow-wrap:anywhere}
h1,h2,h3,p,dl,dd,ol,ul,pre{margin:0;padding:0}
ol,ul{list-style:none}
h1{font-size:1.6rem;line-height:1.25;font-weight:650;letter-spacing:-.012em}
h2{font-size:1.06rem;line-height:1.4;font-weight:650;margin-bottom:.6rem}
h3{font-size:.94rem;line-height:1.5;font-weight:600}
code,pre{font:.87em/1.5 ui-monospace,SFMono-Regular,"SF Mono",Menlo,Consolas,"Liberation Mono","DejaVu Sans Mono",
 monospace;
 unicode-bidi:isolate;direction:ltr;text-align:left}
b{font-weight:650}
a{color:inherit;text-decoration-color:var(--mute);text-underline-offset:.2em}
a:hover{text-decoration-thickness:2px}
:focus-visible{outline:2px solid var(--fg);outline-offset:2px;border-radius:3px}
main>section{margin-top:2.4rem}
footer{margin-top:3rem;padding-top:1rem;border-top:1px solid var(--edge);color:var(--mute);font-size:.87rem}
.kind{color:var(--mute);font-size:.87rem;margin-bottom:.25rem}
.quiet,.note{color:var(--mute);font-size:.9rem}
.digest{font-size:.94rem;margin-top:.3rem;color:var(--mute)}
.bad{color:var(--bad)}
.tag{display:inline-block;font-size:.78rem;line-height:1.35rem;padding:0 .45rem;border-radius:4px;font-weight:550;
 background:var(--soft);color:var(--fg);box-shadow:inset 0 0 0 1px var(--edge)}
.tag.good{color:var(--hit)}
.tag.plain{color:var(--mute)}
.tag.poor{color:var(--ran)}

.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:1rem 1.5rem}
.figures dt{color:var(--mute);font-size:.87rem}
.figures b{display:block;font-size:1.3rem;line-height:1.35;font-weight:600;font-variant-numeric:tabular-nums}
.figures small{color:var(--mute);font-size:.87rem}
.strip{display:block;width:100%;height:12px;margin-top:1.1rem}

.message{white-space:pre-wrap;padding-left:.9rem;border-left:3px solid var(--bad)}
pre{white-space:pre-wrap;max-height:32rem;overflow:auto;background:var(--soft);border:1px solid var(--edge);
 border-radius:6px;padding:.75rem .9rem;margin-top:.35rem;tab-size:4}
pre[aria-labelledby=excerpt]{white-space:pre;overflow-wrap:normal}
[aria-labelledby=failure] h3{margin-top:1.1rem}

.facts{display:grid;gap:.2rem;font-size:.9rem}
.facts div{display:grid;grid-template-columns:8rem minmax(0,1fr);gap:.75rem}
.facts dt{color:var(--mute)}
.message+.facts{margin-top:.9rem}

.causes>li+li{margin-top:.9rem}
.causes>li>p{margin-bottom:.25rem}
.causes ul{font-size:.94rem}
.causes ul .why{margin-top:0}
.causes ul li{padding:.1rem 0 .1rem .9rem;border-left:1px solid var(--edge)}
.causes+.quiet{margin-top:.7rem}

.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;font-size:.87rem;color:var(--mute);margin-bottom:.8rem}
.legend li{display:flex;align-items:center;gap:.4rem}
.legend svg{width:14px;height:14px;flex:none}
.rail{position:absolute;left:0;top:0;width:var(--gutter);height:100%;overflow:visible;pointer-events:none}
.rail line,.rail path:not(.n){stroke:var(--rail);stroke-width:1.5;fill:none}
.n{stroke-width:2;fill:var(--bg)}
.n.hit{fill:var(--hit);stroke:var(--bg)}
.n.ran{stroke:var(--ran);stroke-width:2.5}
.n.uncacheable{stroke:var(--special);stroke-width:2.5}
.n.skipped{stroke:var(--rail)}
.n.failed{stroke:var(--bad);stroke-width:3;stroke-linecap:round;fill:none}
.n.image{fill:var(--fg);stroke:var(--bg)}
.stage,.row{position:relative;padding-left:var(--gutter)}
.stage{display:flex;flex-wrap:wrap;align-items:baseline;column-gap:.9rem;padding-top:1.1rem;padding-bottom:.3rem}
.stage h3,.stage p{padding-left:.6rem}

.stage p{color:var(--mute);font-size:.87rem;font-variant-numeric:tabular-nums}
.legend+section .stage{padding-top:0}
.row>p{padding:.6rem}
summary{display:grid;grid-template-columns:2rem minmax(0,1fr) 7rem 4.8rem 7.6rem 6rem .5rem;column-gap:.9rem;
 align-items:start;padding:.6rem;cursor:pointer;list-style:none}
summary::-webkit-details-marker{display:none}
summary::after{content:"";grid-column:7;grid-row:1;justify-self:center;width:.42rem;height:.42rem;margin-top:.4rem;
 border:solid var(--mute);border-width:0 1.5px 1.5px 0;transform:rotate(45deg)}
details[open] summary::after{transform:translateY(.2rem) rotate(-135deg)}
summary:hover,details[open]{background:var(--soft)}
.row+.row details{box-shadow:0 -1px 0 var(--edge)}
.row:target details{box-shadow:inset 0 0 0 2px var(--mute)}
.no{color:var(--mute);text-align:right;font-variant-numeric:tabular-nums;font-size:.87rem;line-height:1.4rem}
.text{display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:2;overflow:hidden;line-height:1.4rem}
details[open] .text{-webkit-line-clamp:none}
.why{display:block;font-size:.87rem;margin-top:.2rem;color:var(--mute)}
.out{font-size:.87rem;line-height:1.4rem;font-weight:550}
.hit .out{color:var(--hit)}
.ran .out{color:var(--ran)}
.uncacheable .out{color:var(--special)}
.failed .out{color:var(--bad)}
.size,.time{white-space:nowrap;font-size:.87rem;line-height:1.4rem;text-align:right;font-variant-numeric:tabular-nums}
.size,.hit .time{color:var(--mute)}
details>.facts{padding:.2rem .6rem .9rem 3.5rem}
.bar{display:block;width:100%;height:6px}
summary .bar{grid-column:6;margin-top:.5rem}
summary .size{grid-column:4}
summary .time{grid-column:5}
.bar.spent{fill:var(--mute)}
.ran .bar.spent{fill:var(--ran)}
.uncacheable .bar.spent{fill:var(--special)}
.bar.saved{fill:var(--saved)}
.strip .hit{fill:var(--hit)}
.strip .ran{fill:var(--ran)}
.strip .uncacheable{fill:var(--special)}
.strip .skipped{fill:var(--edge)}
.strip .failed{fill:var(--bad)}

.caches>li{padding:.6rem 0;border-top:1px solid var(--edge)}
[aria-labelledby=caches] div+div{margin-top:1.2rem}
.caches .digest{margin-top:0;font-size:.87rem}
.parts{display:grid;gap:.35rem;max-width:34rem}
.parts div{display:grid;grid-template-columns:9rem minmax(0,1fr);gap:.9rem;align-items:center}
.parts dd{display:grid;grid-template-columns:5.5rem minmax(0,1fr);gap:.9rem;align-items:center;
 font-variant-numeric:tabular-nums}
.parts dt{color:var(--mute)}

@media (max-width:56rem){
 body{padding:1.25rem 1rem 2rem}
 h1{font-size:1.2rem}
 main>section{margin-top:1.9rem}
 .figures{grid-template-columns:repeat(auto-fit,minmax(8.6rem,1fr));column-gap:1rem}
 summary{grid-template-columns:1.5rem auto auto minmax(0,1fr) .6rem;column-gap:.5rem}
 summary::after{grid-column:5}
 .row>p,summary{padding:.5rem 0 .5rem .2rem}
 .what{grid-column:2/5}
 .out{grid-column:2}
 summary .size{grid-column:3}
 summary .time{grid-column:4/6}
 summary .bar{grid-column:2/-1;height:3px;margin-top:.3rem}
 details>.facts{padding-left:2.2rem;padding-right:0}
 .facts div{grid-template-columns:5.5rem minmax(0,1fr)}
 details>.facts div{grid-template-columns:minmax(0,1fr);gap:0}
 details>.facts div+div{margin-top:.3rem}
 .parts div{grid-template-columns:8.2rem minmax(0,1fr)}
 .parts dd{grid-template-columns:4.5rem minmax(0,1fr)}
}
@media print{
 html{font-size:11px;print-color-adjust:exact;-webkit-print-color-adjust:exact}
 body{max-width:none;padding:0}
 pre{max-height:none;overflow:visible}
 pre[aria-labelledby=excerpt]{white-space:pre-wrap}
 .row,.caches>li,.causes>li{break-inside:avoid}
 h2,h3,.stage{break-after:avoid}
 details::details-content{content-visibility:visible;block-size:auto}
 summary::after{display:none}
}
"""
