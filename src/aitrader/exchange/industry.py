"""The SIC code that the exchange tells for a listing: a real one that fits its industry and means its sector."""

from __future__ import annotations

from functools import cache
from typing import Final

from aitrader.domain.sic import sector_of_sic

DESCRIPTIONS: Final[dict[int, str]] = {  # as the SEC's list has them
    100: "Agricultural Production-Crops",
    1000: "Metal Mining", 1040: "Gold and Silver Ores", 1220: "Bituminous Coal & Lignite Mining",
    1311: "Crude Petroleum & Natural Gas", 1389: "Oil & Gas Field Services, NEC",
    1400: "Mining & Quarrying of Nonmetallic Minerals (No Fuels)", 1531: "Operative Builders",
    1600: "Heavy Construction Other Than Bldg Const - Contractors",
    1623: "Water, Sewer, Pipeline, Comm & Power Line Construction", 2000: "Food and Kindred Products",
    2011: "Meat Packing Plants", 2080: "Beverages", 2090: "Miscellaneous Food Preparations & Kindred Products",
    2300: "Apparel & Other Finishd Prods of Fabrics & Similar Matl", 2400: "Lumber & Wood Products (No Furniture)",
    2510: "Household Furniture", 2600: "Papers & Allied Products", 2673: "Plastics, Foil & Coated Paper Bags",
    2741: "Miscellaneous Publishing", 2800: "Chemicals & Allied Products",
    2833: "Medicinal Chemicals & Botanical Products", 2834: "Pharmaceutical Preparations",
    2835: "In Vitro & In Vivo Diagnostic Substances", 2836: "Biological Products, (No Diagnostic Substances)",
    2844: "Perfumes, Cosmetics & Other Toilet Preparations", 2911: "Petroleum Refining",
    3089: "Plastics Products, NEC", 3290: "Abrasive, Asbestos & Misc Nonmetallic Mineral Prods",
    3334: "Primary Production of Aluminum",
    3440: "Fabricated Structural Metal Products", 3460: "Metal Forgings & Stampings",
    3480: "Ordnance & Accessories, (No Vehicles/Guided Missiles)", 3490: "Miscellaneous Fabricated Metal Products",
    3530: "Construction, Mining & Materials Handling Machinery & Equip", 3533: "Oil & Gas Field Machinery & Equipment",
    3559: "Special Industry Machinery, NEC", 3560: "General Industrial Machinery & Equipment",
    3571: "Electronic Computers", 3577: "Computer Peripheral Equipment, NEC",
    3600: "Electronic & Other Electrical Equipment (No Computer Equip)", 3630: "Household Appliances",
    3663: "Radio & TV Broadcasting & Communications Equipment", 3670: "Electronic Components & Accessories",
    3674: "Semiconductors & Related Devices", 3711: "Motor Vehicles & Passenger Car Bodies",
    3713: "Truck & Bus Bodies", 3714: "Motor Vehicle Parts & Accessories", 3720: "Aircraft & Parts",
    3812: "Search, Detection, Navigation, Guidance, Aeronautical Sys",
    3823: (
        "Industrial Instruments For Measurement, Display, and Control"
    ), 3826: "Laboratory Analytical Instruments", 3841: "Surgical & Medical Instruments & Apparatus",
    3842: "Orthopedic, Prosthetic & Surgical Appliances & Supplies",
    3845: "Electromedical & Electrotherapeutic Apparatus",
    3944: "Games, Toys & Children's Vehicles (No Dolls & Bicycles)", 3990: "Miscellaneous Manufacturing Industries",
    4011: "Railroads, Line-Haul Operating", 4213: "Trucking (No Local)", 4400: "Water Transportation",
    4412: "Deep Sea Foreign Transportation of Freight", 4512: "Air Transportation, Scheduled",
    4700: "Transportation Services", 4731: "Arrangement of Transportation of Freight & Cargo",
    4813: "Telephone Communications (No Radiotelephone)", 4833: "Television Broadcasting Stations",
    4841: "Cable & Other Pay Television Services", 4899: "Communications Services, NEC", 4911: "Electric Services",
    4922: "Natural Gas Transmission", 4923: "Natural Gas Transmission & Distribution",
    4924: "Natural Gas Distribution", 4941: "Water Supply", 4953: "Refuse Systems",
    4961: "Steam & Air-Conditioning Supply", 4991: "Cogeneration Services & Small Power Producers",
    5090: "Wholesale-Misc Durable Goods", 5140: "Wholesale-Groceries & Related Products",
    5190: "Wholesale-Miscellaneous Nondurable Goods", 5211: "Retail-Lumber & Other Building Materials Dealers",
    5311: "Retail-Department Stores", 5411: "Retail-Grocery Stores", 5500: "Retail-Auto Dealers & Gasoline Stations",
    5651: "Retail-Family Clothing Stores", 5734: "Retail-Computer & Computer Software Stores",
    5812: "Retail-Eating Places", 5912: "Retail-Drug Stores and Proprietary Stores",
    5940: "Retail-Miscellaneous Shopping Goods Stores", 5961: "Retail-Catalog & Mail-Order Houses",
    6021: "National Commercial Banks", 6022: "State Commercial Banks",
    6035: "Savings Institution, Federally Chartered", 6141: "Personal Credit Institutions",
    6199: "Finance Services", 6211: "Security Brokers, Dealers & Flotation Companies", 6282: "Investment Advice",
    6311: "Life Insurance", 6331: "Fire, Marine & Casualty Insurance", 6351: "Surety Insurance",
    6500: "Real Estate", 6512: "Operators of Nonresidential Buildings", 6726: (
        "Unit Investment Trusts, Face-Amount Certificate Offices, and Closed-End Management Investment Offices"
    ), 6770: "Blank Checks", 6798: "Real Estate Investment Trusts", 6799: "Investors, NEC",
    7011: "Hotels & Motels", 7200: "Services-Personal Services", 7310: "Services-Advertising",
    7370: "Services-Computer Programming, Data Processing, Etc.", 7372: "Services-Prepackaged Software",
    7374: "Services-Computer Processing & Data Preparation", 7389: "Services-Business Services, NEC",
    7812: "Services-Motion Picture & Video Tape Production",
    7990: "Services-Miscellaneous Amusement & Recreation", 8000: "Services-Health Services",
    8060: "Services-Hospitals", 8082: "Services-Home Health Care Services",
    8090: "Services-Misc Health & Allied Services, NEC", 8200: "Services-Educational Services",
    8731: "Services-Commercial Physical & Biological Research", 8900: "Services-Services, NEC",
    9995: "Non-Operating Establishments",
}  # fmt: skip

# An industry of the market -> the codes that fit it, the best first; the first that means the listing's sector is told.
CODES: Final[dict[str, tuple[int, ...]]] = {
    "Advertising": (7310,), "Aerospace": (3720,), "Agricultural Chemicals": (2800, 100, 5190),
    "Air Freight/Delivery Services": (4512, 4700), "Apparel": (2300,), "Auto Manufacturing": (3711, 3713),
    "Auto Parts:O.E.M.": (3714,), "Banks": (6022,), "Beverages (Production/Distribution)": (2080,),
    "Biotechnology: Biological Products (No Diagnostic Substances)": (2836,),
    "Biotechnology: Commercial Physical & Biological Resarch": (8731,),
    "Biotechnology: Electromedical & Electrotherapeutic Apparatus": (3845,),
    "Biotechnology: In Vitro & In Vivo Diagnostic Substances": (2835,),
    "Biotechnology: Laboratory Analytical Instruments": (3826, 3823),
    "Biotechnology: Pharmaceutical Preparations": (2834,), "Blank Checks": (6770,), "Broadcasting": (4833,),
    "Building Materials": (3290,), "Building Products": (3290, 5211), "Building operators": (6512,),
    "Cable & Other Pay Television Services": (4841,), "Catalog/Specialty Distribution": (5961,),
    "Clothing/Shoe/Accessory Stores": (5651,), "Coal Mining": (1220,), "Commercial Banks": (6022,),
    "Computer Communications Equipment": (3577, 4899), "Computer Manufacturing": (3571,),
    "Computer Software: Prepackaged Software": (7372,),
    "Computer Software: Programming Data Processing": (7370,), "Computer peripheral equipment": (3577,),
    "Construction/Ag Equipment/Trucks": (3530,), "Consumer Electronics/Appliances": (3630, 2844),
    "Consumer Specialties": (3990,), "Containers/Packaging": (2673, 3089, 3990),
    "Department/Specialty Retail Stores": (5311,), "Diversified Commercial Services": (7389, 7200, 8900),
    "EDP Services": (7374,), "Electric Utilities: Central": (4911,), "Electrical Products": (3600, 3670, 3533),
    "Electronic Components": (3670,), "Engineering & Construction": (1600, 1531),
    "Environmental Services": (4953, 4961),
    "Farming/Seeds/Milling": (100, 3530), "Finance Companies": (6199,), "Finance/Investors Services": (6726,),
    "Finance: Consumer Services": (6141,), "Fluid Controls": (3490,), "Food Chains": (5411,),
    "Food Distributors": (5140, 5812), "Forest Products": (2400,), "Home Furnishings": (2510,),
    "Homebuilding": (1531,), "Hospital/Nursing Management": (8060,), "Hotels/Resorts": (7011,),
    "Industrial Machinery/Components": (3560, 3559, 3533, 3714, 9995),
    "Industrial Specialties": (3842, 3490, 3990), "Integrated Freight & Logistics": (4731,),
    "Integrated oil Companies": (2911,), "Investment Bankers/Brokers/Service": (6211,),
    "Investment Managers": (6282,), "Life Insurance": (6311,), "Major Banks": (6021,),
    "Major Chemicals": (2800, 3089), "Marine Transportation": (4412, 4400), "Meat/Poultry/Fish": (2011,),
    "Medical Specialities": (3841,), "Medical/Dental Instruments": (3841,), "Medical/Nursing Services": (8082,),
    "Medicinal Chemicals and Botanical Products": (2833,), "Metal Fabrications": (3440, 4899), "Metal Mining": (1000,),
    "Military/Government/Technical": (3812,),
    "Mining & Quarrying of Nonmetallic Minerals (No Fuels)": (1400, 3290),
    "Misc Health and Biotechnology Services": (8090,), "Miscellaneous": (8900,),
    "Miscellaneous manufacturing industries": (3990,), "Movies/Entertainment": (7812,),
    "Multi-Sector Companies": (9995,), "Natural Gas Distribution": (4924, 4922),
    "Office Equipment/Supplies/Services": (8900,), "Oil & Gas Production": (1311, 4923),
    "Oil Refining/Marketing": (2911,), "Oil and Gas Field Machinery": (3533, 5090), "Oil/Gas Transmission": (4923,),
    "Oilfield Services/Equipment": (1389,), "Ordnance And Accessories": (3480,),
    "Other Consumer Services": (7200, 6500), "Other Metals and Minerals": (1000,), "Other Specialty Stores": (5940,),
    "Package Goods/Cosmetics": (2844, 5190), "Packaged Foods": (2000,), "Paper": (2600,), "Plastic Products": (3089,),
    "Power Generation": (4991,), "Precious Metals": (1040,), "Professional Services": (8200,),
    "Property-Casualty Insurers": (6331,), "Publishing": (2741,), "RETAIL: Building Materials": (5211,),
    "Radio And Television Broadcasting And Communications Equipment": (3663,), "Railroads": (4011,),
    "Real Estate": (6500, 6799), "Real Estate Investment Trusts": (6798,),
    "Recreational Games/Products/Toys": (3944,), "Restaurants": (5812,),
    "Retail-Auto Dealers and Gas Stations": (5500,), "Retail-Drug Stores and Proprietary Stores": (5912,),
    "Retail: Computer Software & Peripheral Equipment": (5734,), "Savings Institutions": (6035,),
    "Semiconductors": (3674,), "Services-Misc. Amusement & Recreation": (7990,), "Specialty Foods": (2090,),
    "Specialty Insurers": (6351,), "Steel/Iron Ore": (3334, 3460), "Telecommunications Equipment": (4813, 4991, 3630),
    "Transportation Services": (4700,), "Trucking Freight/Courier Services": (4213,),
    "Trusts Except Educational Religious and Charitable": (6726,),
    "Water Sewer Pipeline Comm & Power Line Construction": (1623,), "Water Supply": (4941,),
}  # fmt: skip

BY_SECTOR: Final[dict[str, int]] = {  # where no code of the industry means the sector
    "Basic Materials": 2800, "Consumer Discretionary": 3990, "Consumer Staples": 2000, "Energy": 1311, "Finance": 6199,
    "Health Care": 8000, "Industrials": 3560, "Miscellaneous": 9995, "Real Estate": 6500, "Technology": 7370,
    "Telecommunications": 4899, "Utilities": 4911,
}  # fmt: skip


@cache
def sic(sector: str | None, industry: str | None) -> tuple[str | None, str | None]:
    """Code (four digits) and description of a listing; None where its sector is unknown."""
    if sector is None or sector not in BY_SECTOR:
        return None, None
    fitting = CODES.get((industry or "").strip(), ())
    code = next((c for c in fitting if sector_of_sic(c) == sector), BY_SECTOR[sector])
    return f"{code:04d}", DESCRIPTIONS[code]
