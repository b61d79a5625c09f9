"""Names of columns in other languages than English, by role, and words for aggregates.

Usual headers of tables and answers of survey tools, in the languages that annotation studies are
run in. A name that is missing here is asked about, so the lists need not be complete; a name that
means several things ("respuesta" is an answer and a reply) is left out or stands where tables have
it. `column_names` compares them by `normalised_name`.
"""

from __future__ import annotations

# In the order German, French, Spanish, Portuguese, Italian, Dutch, Polish, Russian, Turkish,
# Arabic, Hindi, Chinese, Japanese, Korean; Bengali, Persian, Thai, Ukrainian, Vietnamese,
# Indonesian.
NAMES = {
    "item_id": """item_nummer satz_id text_nummer beispiel_id identifiant id_item id_texto id_texte
        id_testo identificador 编号 序号 編號 样本编号 文本编号 番号 項目番号 번호 문항번호 номер
        номер_примера رقم المعرف रقم क्रमांक संख्या
        ক্রমিক شناسه ลำดับ รหัส หมายเลข""",
    "annotator_id": """annotierer annotiererin annotator_in bewerter bewerterin beurteiler person
        kodierer teilnehmer annotateur annotatrice évaluateur participante anotador anotadora
        anotador_id codificador avaliador evaluador annotatore valutatore beoordelaar annoteur
        codeur anotator anotatorka oceniający аннотатор разметчик эксперт асессор участник
        etiketleyen değerlendirici katılımcı المعلق المعلّق معلق المقيّم المقيم المشارك المرمز
        टिप्पणीकार एनोटेटर मूल्यांकनकर्ता प्रतिभागी 标注者 标注员 標註者 標註員 注释者 评估者 评审员
        アノテーター アノテータ 注釈者 評価者 作業者 주석자 평가자 작업자 어노테이터
        টীকাকার মূল্যায়নকারী برچسب_زن ارزیاب ผู้ประเมิน ผู้กำกับ
        ผู้ติดป้าย ผู้ให้คะแนน ผู้ตอบ анотатор розмітник експерт учасник người_gán_nhãn
        penilai""",
    "label": """etikett urteil bewertung einstufung klasse kategorie einschätzung étiquette
        jugement classe catégorie etiqueta clasificación juicio categoría anotación valoración
        rótulo classificação julgamento categoria etichetta giudizio valutazione oordeel
        beoordeling klasse_label etykieta ocena kategoria метка оценка класс разметка категория
        etiket karar sınıf değerlendirme التصنيف تصنيف الوسم وسم التسمية الحكم लेबल श्रेणी निर्णय
        标签 标注 標籤 類別 类别 判断 评分 ラベル 判定 評価 カテゴリ 라벨 레이블 판단 분류
        লেবেল শ্রেণি শ্রেণী برچسب ป้ายกำกับ ป้าย คะแนน หมวดหมู่
        мітка оцінка категорія nhãn kategori""",
    "explanation": """begründung erklärung kommentar anmerkung warum grund explication commentaire
        raison pourquoi explicación justificación comentario razón motivo por_qué justificativa
        explicação comentário razão por_quê spiegazione giustificazione motivazione commento
        perché uitleg toelichting motivering waarom uzasadnienie wyjaśnienie komentarz dlaczego
        объяснение обоснование комментарий причина почему açıklama gerekçe yorum neden niçin
        الشرح شرح السبب سبب التفسير التعليل لماذا व्याख्या कारण स्पष्टीकरण क्यों 理由 解释 解釋 说明
        原因 为什么 為什麼 説明 根拠 なぜ コメント 이유 설명 근거 왜
        কারণ ব্যাখ্যা মন্তব্য دلیل توضیح علت چرا เหตุผล คำอธิบาย
        ความคิดเห็น ทำไม пояснення обґрунтування причина коментар чому lý_do giải_thích
        alasan penjelasan komentar mengapa""",
    "text_a": """prämisse prémisse premisa premissa premessa przesłanka посылка مقدمة المقدمة
        前提 전제 texte phrase énoncé texto frase oración testo enunciado zin tekst zdanie satz
        aussage beitrag текст предложение высказывание metin cümle النص نص الجملة पाठ वाक्य 文本 文
        句子 テキスト 文章 텍스트 문장
        পাঠ বাক্য টেক্সট متن جمله ข้อความ ประโยค речення văn_bản câu
        teks kalimat""",
    "text_b": """hypothese hypothèse hipótesis hipótese ipotesi hipoteza гипотеза hipotez فرضية
        الفرضية परिकल्पना 假设 假設 仮説 가설""",
    "valid": "",
    "split": "",
    "annotation_id": "",
}
# Aggregates and metadata in an annotator's place, as in "etiqueta_mayoría".
AGGREGATES = """mehrheit mehrheitlich konsens gesamt endgültig ergebnis durchschnitt mittelwert
    anzahl zeit dauer datum sicherheit konfidenz majorité majoritaire référence finale durée temps
    moyenne confiance consenso mayoría mayoritaria mayoritario oro referencia tiempo media promedio
    confianza maioria ouro referência tempo média confiança maggioranza oro riferimento fiducia
    meerderheid tijd gemiddelde większość końcowa złota średnia czas итог итоговая итоговый
    большинство золотая эталон среднее время уверенность çoğunluk nihai ortalama süre altın النهائي
    نهائي الأغلبية أغلبية ذهبي المتوسط الوقت अंतिम बहुमत सही औसत समय 最终 最終 多数 多數 金标准 平均
    标准 正解 時間 时间 一致 置信度 確信度 최종 다수 평균 정답 시간 확신도
    চূড়ান্ত نهایی اکثریت สรุป ค่าเฉลี่ย เวลา остаточна більшість đa_số mayoritas"""

# Qualities and constructs that items are rated by, which stand where annotators' names would:
# "label_fluency", "adequacy_score".
QUALITIES = """fluency adequacy accuracy coherence consistency relevance informativeness
    informative style tone grammar grammaticality readability clarity simplicity conciseness
    factuality faithfulness truthfulness correctness completeness helpfulness harmlessness
    usefulness quality naturalness engagingness engagement creativity originality novelty
    plausibility specificity verbosity complexity understandability likability likeability
    interestingness interest toxicity toxic severe_toxicity obscene obscenity threat insult
    identity_attack identity_hate offensiveness offensive hate hatefulness hate_speech
    aggressiveness aggression sexism racism irony sarcasm humor humour politeness rudeness civility
    incivility sentiment polarity emotion valence arousal dominance intensity anger disgust fear
    joy sadness surprise trust anticipation stance respect empathy formality subjectivity
    credibility persuasiveness bias safety similarity relatedness difficulty confidence meaning
    meaning_preservation content structure organization organisation argumentation evidence
    flüssigkeit verständlichkeit angemessenheit kohärenz relevanz stil qualität toxizität
    stimmung lesbarkeit fluidité cohérence pertinence toxicité qualité fluidez coherencia
    relevancia toxicidad calidad 流畅 流畅性 流利度 准确性 准确度 充分性 连贯性 相关性 风格
    质量 毒性 流暢さ 流暢性 妥当性 一貫性 関連性"""
