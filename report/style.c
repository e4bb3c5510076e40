/* report/style.c - the style sheet of the page: ink on paper, by day, by night and in print.
 * Categories have six colours; no colour is the only sign of anything. */
#include "page.h"

static const char *const style_lines[] = {
    ":root{color-scheme:light dark;--paper:#fbfaf6;--card:#fff;--ink:#1d1c1a;--soft:#5c5953;"
    "--line:#dcd8ce;--accent:#a8321e;--quiet:#f1eee6;",
    "--c0:#0b66a8;--c1:#b9500f;--c2:#00785f;--c3:#7d4fa8;--c4:#a17400;--c5:#5a6670}",
    "@media(prefers-color-scheme:dark){:root{--paper:#151514;--card:#1e1d1b;--ink:#ece9e1;"
    "--soft:#a9a59b;--line:#3a3833;--accent:#ff8a70;--quiet:#262521;",
    "--c0:#5aaee8;--c1:#f0935a;--c2:#3fc0a0;--c3:#b894e0;--c4:#dcb13c;--c5:#9aa7b2}}",
    "*{box-sizing:border-box}",
    "html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}",
    "body{margin:0;background:var(--paper);color:var(--ink);font:17px/1.55 Charter,"
    "\"Bitstream Charter\",\"Sitka Text\",Cambria,\"Noto Serif\",\"DejaVu Serif\",serif}",
    "header,main,footer{max-width:1240px;margin:0 auto;padding:0 24px}",
    "header{padding-top:56px}",
    "h1,h2,h3,h4{line-height:1.2;font-weight:600;text-wrap:balance}",
    "h1{font-size:clamp(1.9rem,1.2rem + 2.6vw,3.2rem);letter-spacing:-.015em;margin:.1em 0 "
    ".45em;max-width:22em}",
    "h2{font-size:1.65rem;margin:2.6em 0 .6em;padding-top:.7em;border-top:3px solid "
    "var(--ink)}",
    "h3{font-size:1.3rem;margin:0 0 .5em}",
    "h4{font:600 .95rem/1.3 system-ui,sans-serif;margin:1.5em 0 .6em}",
    "p{margin:0 0 .8em;max-width:46em}",
    "a{color:var(--accent)}",
    ".kicker,.chip,nav,figcaption,table,.tiles,.source,.facts,.chart,.note,.film,footer{"
    "font-family:system-ui,-apple-system,\"Segoe UI\",\"Noto Sans\",\"DejaVu Sans\",sans-serif}",
    ".kicker{text-transform:uppercase;letter-spacing:.13em;font-size:.78rem;"
    "color:var(--accent);font-weight:600;margin:0}",
    ".lead{font-size:1.22rem;line-height:1.5}",
    ".source,.note{color:var(--soft);font-size:.88rem}",
    ".name{overflow-wrap:anywhere}",
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(130px,1fr));gap:0;"
    "margin:1.6em 0;border-top:1px solid var(--line);border-bottom:1px solid var(--line)}",
    ".tiles div{padding:14px 16px 14px 0}",
    ".tiles dt{color:var(--soft);font-size:.82rem}",
    ".tiles dd{margin:0;font-size:1.9rem;font-weight:600;line-height:1.2;"
    "font-variant-numeric:tabular-nums}",
    "nav{display:flex;flex-wrap:wrap;gap:6px 22px;font-size:.92rem}",
    "figure{margin:0}",
    "figcaption{font-size:.8rem;line-height:1.4;color:var(--soft);margin-top:6px}",
    "figcaption b{color:var(--ink)}",
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,340px),1fr));"
    "gap:28px 40px;margin-bottom:1.6em}",
    ".charts figure,.narrow{max-width:400px}",
    ".charts figcaption,.narrow figcaption{font-size:.92rem;font-weight:600;color:var(--ink);"
    "margin:0 0 10px}",
    ".chart{display:block;width:100%;height:auto;font-size:13px}",
    ".chart text{fill:var(--ink)}",
    ".chart .tick{fill:var(--soft);font-size:12px}",
    ".chart .figure{font-weight:600}",
    ".axis{stroke:var(--ink);stroke-width:1.2}",
    ".grid{stroke:var(--line);stroke-width:1}",
    "rect.c0{fill:var(--c0)}rect.c1{fill:var(--c1)}rect.c2{fill:var(--c2)}rect.c3{"
    "fill:var(--c3)}rect.c4{fill:var(--c4)}rect.c5{fill:var(--c5)}",
    ".all line,.all circle{stroke:var(--ink);stroke-width:2}.all circle{fill:var(--ink)}",
    ".detectors line,.detectors circle{stroke:var(--accent);stroke-width:2}.detectors circle{"
    "fill:var(--accent)}",
    ".control circle{fill:var(--paper)}",
    ".curve{fill:none;stroke:var(--accent);stroke-width:2}",
    "circle.dot{fill:var(--accent)}",
    ".scroll{overflow-x:auto;margin:0 0 1em}",
    ".tall{max-height:36rem;overflow-y:auto;border:1px solid var(--line);"
    "background:var(--card)}",
    "table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums;"
    "width:100%}",
    "caption{text-align:left;color:var(--soft);font-size:.82rem;padding:0 0 6px}",
    ".tall caption{padding:10px 12px}",
    "th,td{padding:6px 12px 6px 0;text-align:right;border-bottom:1px solid var(--line);"
    "font-weight:400;white-space:nowrap}",
    "thead th{color:var(--soft);font-size:.8rem;vertical-align:bottom;"
    "border-bottom-color:var(--ink)}",
    "th:first-child,td:first-child{text-align:left}thead th[colspan]{text-align:center}",
    ".ranks tbody th{white-space:normal;min-width:8em}",
    ".ranks tbody tr:first-child :is(th,td){font-weight:600}",
    ".wide th:first-child{position:sticky;left:0;background:var(--paper)}",
    ".hint{display:none}",
    "details>summary{cursor:pointer;margin:0 0 .8em;color:var(--soft)}",
    ".reading{display:grid;grid-template-columns:minmax(0,300px) minmax(0,1fr);gap:16px 36px;"
    "padding:18px;border:1px solid var(--line);background:var(--card)}",
    ".reading.words{grid-template-columns:minmax(0,1fr)}",
    ".reading dl{columns:2 300px;column-gap:32px;margin:0;font-size:.92rem;line-height:1.45}",
    ".reading dt{font-weight:600;break-after:avoid}.reading dd{margin:0 0 .6em;"
    "break-inside:avoid}",
    ".control :is(th,td){color:var(--soft)}",
    ".sortable :is(th,td){text-align:left;padding:5px 12px}",
    ".sortable :is(th,td):nth-child(2){white-space:normal;min-width:9em;max-width:26em}",
    ".tall thead th{position:sticky;top:0;background:var(--card);box-shadow:0 1px 0 "
    "var(--ink);border:0}",
    ".tall th:first-child{position:sticky;left:0;background:var(--card)}",
    ".tall thead th:first-child{z-index:1}",
    ".changed{color:var(--accent);font-weight:600;white-space:normal;min-width:7em}",
    ".none{color:var(--soft)}",
    "th button{all:unset;cursor:pointer;color:inherit}",
    "th button:hover,th[aria-sort]{color:var(--ink)}",
    "th button:focus-visible,a:focus-visible,[tabindex]:focus-visible{outline:2px solid "
    "var(--accent);outline-offset:2px}",
    "th[aria-sort=descending]::after{content:\" \\2193\"}th[aria-sort=ascending]::after{"
    "content:\" \\2191\"}",
    "i.dot{display:inline-block;width:.7em;height:.7em;border-radius:50%;margin-right:.45em;"
    "background:var(--c5)}",
    "i.c0{background:var(--c0)}i.c1{background:var(--c1)}i.c2{background:var(--c2)}i.c3{"
    "background:var(--c3)}i.c4{background:var(--c4)}",
    ".unit{padding:1.5em 0 1.2em;border-top:1px solid var(--line)}",
    "#units>p+.unit{border-top:0;padding-top:.4em}",
    ".unit h3{display:flex;flex-wrap:wrap;align-items:baseline;gap:4px 12px;"
    "font-size:1.45rem}",
    ".unit h3 span:first-child{color:var(--soft);font-weight:400}",
    ".chip{font-size:.85rem;font-weight:500;color:var(--soft)}",
    ".shots{display:grid;grid-template-columns:repeat(5,minmax(0,1fr));gap:12px}",
    ".shot{display:block;position:relative;line-height:0;background:var(--quiet)}",
    ".shot img{width:100%;height:auto;display:block}",
    ".shot svg{position:absolute;inset:0;width:100%;height:100%}",
    ".ground{fill:#000;fill-opacity:.3}",
    ".halo,.edge{fill:none;vector-effect:non-scaling-stroke;stroke-linecap:square}",
    ".halo{stroke:#000;stroke-width:3;stroke-opacity:.7}",
    ".mask .edge{stroke:#ffe14d;stroke-width:1.8}.mask .area{fill:#ffe14d;fill-opacity:.14}",
    ".label .edge{stroke:#4fdcff;stroke-width:1.5}.label .area{fill:#4fdcff;fill-opacity:.16}",
    ".small .area{fill-opacity:.7}.label.small .area{fill-opacity:.45}.tangle .area{"
    "fill-opacity:.42}",
    "i.key{display:inline-block;width:.85em;height:.85em;margin:0 .3em 0 0;vertical-align:-.08em;"
    "border:1px solid #000}i.key.mask{background:#ffe14d}i.key.label{background:#4fdcff}",
    ".case{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:18px 20px;"
    "max-width:980px;margin-bottom:1.6em}",
    ".shot.pixels img{image-rendering:pixelated}",
    ".looks{width:auto}.looks :is(th,td){text-align:left;vertical-align:top;white-space:normal;"
    "padding:6px 8px 6px 0}.looks td{font-size:.72rem;white-space:nowrap}",
    ".looks .shot{width:clamp(44px,13vw,128px);margin-bottom:4px}",
    ".looks th[scope]{font-weight:600}",
    ".findings{margin:0 0 1.2em;padding-left:1.1em;max-width:46em;font-size:1.05rem}",
    ".line{fill:none;stroke-width:2;stroke:var(--accent)}.spot{fill:var(--accent)}.band{"
    "fill:var(--accent);fill-opacity:.16}",
    ".line.s1{stroke:var(--c0);stroke-dasharray:7 3}.spot.s1,.band.s1{fill:var(--c0)}",
    ".line.s2{stroke:var(--c2);stroke-dasharray:2 3}.spot.s2,.band.s2{fill:var(--c2)}",
    ".box line,.box rect,.box circle{stroke:var(--accent);stroke-width:1.4;fill:none}.box rect{"
    "fill:var(--accent);fill-opacity:.22}.box .median{stroke-width:2.6}",
    ".box.control line,.box.control rect,.box.control circle{stroke:var(--soft)}.box.control rect{"
    "fill:none}",
    ".pairs{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,250px),1fr));"
    "gap:20px 20px;margin:0 0 1.6em}",
    ".tall.wide :is(th,td):first-child{padding-left:12px}.tall.wide th:first-child{"
    "background:var(--card)}",
    ".pairs .whole{grid-row:span 2}.pairs .two{display:grid;grid-template-columns:1fr 1fr;gap:4px}",
    ".story{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:10px 44px;"
    "margin-top:1.2em}",
    ".story p{margin-bottom:.55em}",
    ".sum{display:flex;flex-wrap:wrap;align-items:center;gap:6px 8px;"
    "font-variant-numeric:tabular-nums}",
    ".fraction{display:inline-flex;flex-direction:column;text-align:center;line-height:1.35}",
    ".fraction span:first-child{border-bottom:1.5px solid currentColor;padding:0 8px}",
    ".film{list-style:none;display:grid;grid-template-columns:repeat(6,minmax(0,1fr));"
    "gap:16px 12px;margin:1em 0 1.6em;padding:0 0 12px}",
    ".film p{margin:0;font-size:.82rem;line-height:1.4;font-variant-numeric:tabular-nums;"
    "padding:0 0 5px}",
    ".film .shot+.shot{margin-top:8px}",
    ".film .shot+p{padding-top:5px;color:var(--soft)}",
    ".facts{columns:3 300px;column-gap:44px;font-size:.86rem}",
    ".facts div{break-inside:avoid;margin-bottom:1.6em}",
    ".facts h3{font-size:.95rem;margin:0 0 .3em;padding-bottom:.3em;border-bottom:1px solid "
    "var(--ink)}",
    ".facts dl{display:grid;grid-template-columns:auto minmax(0,1fr);gap:2px 14px;margin:0}",
    ".facts dt{color:var(--soft)}",
    ".facts dd{margin:0;overflow-wrap:anywhere;text-align:right;"
    "font-variant-numeric:tabular-nums}",
    "footer{padding-top:3em;padding-bottom:3em;color:var(--soft);font-size:.85rem}",
    "@media(max-width:760px){body{font-size:16px}header,main,footer{padding-left:16px;"
    "padding-right:16px}header{padding-top:32px}",
    ".film{grid-template-columns:none;grid-auto-flow:column;grid-auto-columns:150px;"
    "overflow-x:auto}.reading{grid-template-columns:minmax(0,1fr);padding:14px}",
    ".case{gap:10px;grid-template-columns:repeat(2,minmax(0,1fr));grid-template-rows:"
    "repeat(3,auto);grid-auto-flow:column}.shots{grid-template-columns:repeat(2,minmax(0,1fr))}."
    "shots figure:first-child{"
    "grid-column:1/-1}.story{grid-template-columns:minmax(0,1fr)}.tiles{"
    "grid-template-columns:1fr 1fr}.lead{font-size:1.1rem}}",
    "@media(max-width:600px){.hint{display:block;margin-bottom:.4em}.sortable :is(th,td){"
    "padding:5px 8px}.sortable :is(th,td):nth-child(2){min-width:5em}}",
    "@media print{:root{color-scheme:light;--paper:#fff;--card:#fff;--ink:#000;--soft:#444;"
    "--line:#bbb;--accent:#8a2414;--quiet:#eee;--c0:#0b66a8;--c1:#b9500f;--c2:#00785f;"
    "--c3:#7d4fa8;--c4:#a17400;--c5:#5a6670}",
    "@page{margin:16mm}body{font-size:10pt}header,main,footer{max-width:none;padding:0}nav,"
    ".sortable button::after{display:none}",
    "*{-webkit-print-color-adjust:exact;print-color-adjust:exact}.tall{max-height:none;"
    "overflow:visible;border:0}.tall th{position:static!important}.scroll{overflow:visible}",
    ".shots,figure,.story,tr,h2,h3,h4{break-inside:avoid}h2,h3,h4{break-after:avoid}.film{"
    "grid-auto-flow:row;grid-template-columns:repeat(6,1fr);overflow:visible}.film li{"
    "break-inside:avoid}.hint{display:none}}",
    NULL,
};

bool style_write(const char *folder, Error *error)
{
    char    path[LIMIT_PATH];
    Writer *style = NULL;
    if (!path_join(path, folder, "style.css", error) || !writer_open(&style, path, error))
        return false;
    for (int i = 0; style_lines[i]; i++)
        writer_text(style, "%s\n", style_lines[i]);
    return writer_publish(style, error);
}
